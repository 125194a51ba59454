/** Brings the bytes of one file here: resumed where it stopped, tried again when it breaks, checked at the end. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdir, open, rename, rm, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FewstepError, fail, throwIfAborted } from "../base/index.ts";
import { explain } from "./errno.ts";
import { headersFor, type RemoteFile, refused, unreachable } from "./hub-request.ts";
import type { Hub } from "./hub-settings.ts";

export interface TransferOptions {
  signal?: AbortSignal;
  /** Bytes of the file that are here. */
  onBytes?: (bytes: number) => void;
  /** Tries in a row that bring nothing before it gives up. Default 5. */
  tries?: number;
  /** Pause after the first try that brought nothing; doubles each time. Default 1000. */
  pauseMs?: number;
  /** A server that sends nothing for so long is asked again. Default 30,000. */
  patienceMs?: number;
}

/** The name that a file has while it is on its way. */
export const unfinished = (path: string): string => `${path}.incomplete`;

/** Bytes that an earlier try left. */
export const bytesSoFar = (path: string): number =>
  statSync(path, { throwIfNoEntry: false })?.size ?? statSync(unfinished(path), { throwIfNoEntry: false })?.size ?? 0;

/**
 * Downloads `file` to `path`, unless it is there. Errors: BAD_FILE when the checksum is wrong twice, BACKEND_UNAVAILABLE
 * when tries bring nothing, NO_SPACE, ABORTED; but for a wrong checksum what came so far is kept.
 */
export async function transfer(
  hub: Hub,
  file: RemoteFile,
  path: string,
  { signal, onBytes, tries = 5, pauseMs = 1000, patienceMs = 30_000 }: TransferOptions = {},
): Promise<void> {
  if (existsSync(path)) return onBytes?.(file.bytes);
  await mkdir(dirname(path), { recursive: true }).catch((error) => explain(error, path, "write"));
  const part = unfinished(path);
  for (let [lost, wrong] = [0, 0]; ; ) {
    throwIfAborted(signal);
    const before = bytesSoFar(path);
    try {
      const hash = await continueFile(hub, file, part, { signal, onBytes, patienceMs });
      if (hash === file.hash) break;
      await rm(part);
      if (++wrong === 2) badChecksum(file, hash);
    } catch (error) {
      if (!isPassing(error)) throw error;
      lost = bytesSoFar(path) > before ? 0 : lost + 1;
      if (lost >= tries) throw error;
      await sleep(pauseMs * 2 ** lost, undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }
  await rename(part, path).catch((error) => explain(error, path, "write"));
}

/** Whether trying again may help. */
const isPassing = (error: unknown): boolean => error instanceof FewstepError && error.code === "BACKEND_UNAVAILABLE";

const badChecksum = ({ url, hash, bytes }: RemoteFile, got: string): never =>
  fail("the file arrived damaged, twice", {
    where: url,
    code: "BAD_FILE",
    expected: `${bytes} bytes with the checksum ${hash}`,
    got,
    hint: "Try again later, or another HF_ENDPOINT.",
  });

interface ContinueOptions extends Pick<TransferOptions, "signal" | "onBytes"> {
  patienceMs: number;
}

/** Fetches what is missing from `part` and gives the checksum of all of it. */
async function continueFile(
  hub: Hub,
  file: RemoteFile,
  part: string,
  { signal, onBytes, patienceMs }: ContinueOptions,
): Promise<string> {
  let have = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  if (have > file.bytes) {
    await truncate(part);
    have = 0;
  }
  let hash = await hashOf(file, part, have, signal);
  onBytes?.(have);
  if (have === file.bytes && existsSync(part)) return hash.digest("hex");

  const patience = new AbortController();
  const either = signal ? AbortSignal.any([signal, patience.signal]) : patience.signal;
  let timer = setTimeout(() => patience.abort(), patienceMs);
  const out = await open(part, "a").catch((error) => explain(error, part, "write"));
  try {
    const response = await request(hub, file, have, either);
    if (response.status !== 206 && have > 0) {
      // The server gives only whole files.
      await out.truncate();
      have = 0;
      hash = emptyHash(file);
    }
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => patience.abort(), patienceMs);
      await out.writeFile(chunk).catch((error) => explain(error, part, "write"));
      hash.update(chunk);
      onBytes?.((have += chunk.length));
      if (have > file.bytes) break; // the checksum will be wrong
    }
    await out.sync();
  } catch (error) {
    throwIfAborted(signal);
    unreachable(file.url, error);
  } finally {
    clearTimeout(timer);
    await out.close();
  }
  if (have < file.bytes) unreachable(file.url, new Error(`the transfer broke off at byte ${have} of ${file.bytes}`));
  return hash.digest("hex");
}

async function request(hub: Hub, file: RemoteFile, from: number, signal: AbortSignal): Promise<Response> {
  const headers = { ...headersFor(hub), ...(from > 0 && { range: `bytes=${from}-` }) };
  const response = await fetch(file.url, { headers, signal });
  if (!response.ok) refused(response, file.url);
  const range = response.headers.get("content-range");
  if (response.status === 206 && !range?.startsWith(`bytes ${from}-`))
    fail("the server sent another part of the file than was asked for", {
      where: file.url,
      code: "BACKEND_UNAVAILABLE",
      expected: `bytes ${from}-`,
      got: `${range}`,
    });
  return response;
}

/** Git's checksum of a file begins with its size. */
function emptyHash({ hash, bytes }: RemoteFile): Hash {
  return hash.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${bytes}\0`);
}

async function hashOf(file: RemoteFile, part: string, bytes: number, signal?: AbortSignal): Promise<Hash> {
  const hash = emptyHash(file);
  if (bytes === 0) return hash;
  for await (const chunk of createReadStream(part, { end: bytes - 1 })) {
    throwIfAborted(signal);
    hash.update(chunk as Buffer);
  }
  return hash;
}
