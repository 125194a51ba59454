/** What the hub is asked: the files of a repository, and size and checksum of one. Transfers nothing. */
import { FewstepError, fail, throwIfAborted } from "../base/index.ts";
import { insideSnapshot } from "./hub-cache.ts";
import type { Hub } from "./hub-settings.ts";

const AGENT = "fewstep";
const MAX_REDIRECTS = 5;

export interface Listing {
  commit: string;
  files: string[];
}

export interface RemoteFile {
  /** Where its bytes come from. */
  url: string;
  bytes: number;
  /** SHA-256 of large files (64 digits), git's SHA-1 of small ones (40). */
  hash: string;
}

export const headersFor = ({ token }: Hub): Record<string, string> => ({
  "user-agent": AGENT,
  // Sizes and checksums are those of the file, not of a compressed transfer.
  "accept-encoding": "identity",
  ...(token && { authorization: `Bearer ${token}` }),
});

/** Commit and file names of a revision. Errors: NOT_FOUND, BAD_INPUT when access is refused, BACKEND_UNAVAILABLE. */
export async function listFiles(
  hub: Hub,
  repository: string,
  revision: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const url = `${hub.endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`;
  const response = await ask(url, { headers: headersFor(hub), signal });
  if (!response.ok) refused(response, repository);
  const json = (await response.json().catch(() => undefined)) as { sha?: unknown; siblings?: unknown } | undefined;
  const files = Array.isArray(json?.siblings)
    ? json.siblings.map((file: { rfilename?: unknown } | null) => file?.rfilename)
    : [undefined];
  if (!isCommit(json?.sha) || !files.every((name) => typeof name === "string"))
    return fail("this server does not answer as a model hub does", { where: url, code: "BACKEND_UNAVAILABLE" });
  return { commit: json.sha, files: files.map(insideSnapshot) };
}

/** Size and checksum of a file. Errors: as `listFiles`; BACKEND_UNAVAILABLE when the server does not tell them. */
export async function describeFile(
  hub: Hub,
  repository: string,
  commit: string,
  path: string,
  signal?: AbortSignal,
): Promise<RemoteFile> {
  let url = `${hub.endpoint}/${repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
  for (let i = 0; i < MAX_REDIRECTS; i++) {
    const response = await ask(url, { method: "HEAD", redirect: "manual", headers: headersFor(hub), signal });
    const { headers, status } = response;
    if (status >= 400) refused(response, repository);
    const to = headers.get("location");
    // A repository that moved redirects within the hub; large files redirect to where they are stored.
    if (to && !headers.has("x-linked-etag") && new URL(to, url).origin === new URL(url).origin) {
      url = new URL(to, url).href;
      continue;
    }
    const hash = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
    const size = headers.get("x-linked-size") ?? headers.get("content-length") ?? "";
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash) || !/^\d{1,15}$/.test(size))
      fail("the server does not tell size and checksum of a file", {
        where: url,
        code: "BACKEND_UNAVAILABLE",
        expected: "an etag that is a SHA-1 or SHA-256, and a length",
        got: `etag ${JSON.stringify(hash.slice(0, 80))}, length ${JSON.stringify(size)}`,
      });
    return { url, bytes: Number(size), hash };
  }
  return fail("the server redirects in circles", { where: url, code: "BACKEND_UNAVAILABLE" });
}

const isCommit = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{40}$/.test(value);

/** One request. Errors: ABORTED, BACKEND_UNAVAILABLE when no answer came. */
export async function ask(url: string, options: RequestInit & { signal?: AbortSignal }): Promise<Response> {
  try {
    return await fetch(url, options);
  } catch (error) {
    throwIfAborted(options.signal);
    return unreachable(url, error);
  }
}

export function unreachable(url: string, error: unknown): never {
  if (error instanceof FewstepError) throw error;
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  return fail("the model hub cannot be reached", {
    where: new URL(url).origin,
    code: "BACKEND_UNAVAILABLE",
    got: cause?.code ?? cause?.message ?? message,
    hint: "Check the network, or set HF_ENDPOINT to a mirror. What is in the cache works with HF_HUB_OFFLINE=1.",
    cause: error,
  });
}

/** Says what an HTTP status means here. */
export function refused({ status }: Response, repository: string): never {
  if (status === 401 || status === 403)
    return fail("the hub does not give this repository away", {
      where: repository,
      got: `HTTP ${status}`,
      hint: "Check its name. If it is private or asks you to accept terms, do that and set HF_TOKEN to your token.",
    });
  if (status === 404)
    return fail("the hub has no such repository, revision or file", {
      where: repository,
      code: "NOT_FOUND",
      got: `HTTP ${status}`,
    });
  return fail("the hub answered with an error", {
    where: repository,
    code: "BACKEND_UNAVAILABLE",
    got: `HTTP ${status}`,
    hint: "Try again later; what was downloaded is kept.",
  });
}
