/// <reference lib="dom" />
/** Files that a page downloads: kept by their address until they are read. */
import { FewstepError, fail } from "../base/index.ts";
import { readSafetensors, type Safetensors } from "./safetensors.ts";

const fetched = new Map<string, Uint8Array>();

export interface FetchOptions {
  signal?: AbortSignal;
  /** Bytes so far, and of how many as far as the server tells. */
  onProgress?: (progress: { file: string; done: number; total: number }) => void;
}

/** The bytes of a file. Errors: NOT_FOUND, ABORTED. */
export async function fetchBytes(url: string, { signal, onProgress }: FetchOptions = {}): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal });
    if (!response.ok)
      fail("a file of the model is missing", { where: url, code: "NOT_FOUND", got: `status ${response.status}` });
    const length = Number(response.headers.get("content-length") ?? 0);
    const parts: Uint8Array[] = [];
    let done = 0;
    const reader = response.body!.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      done += part.value.length;
      onProgress?.({ file: url, done, total: Math.max(done, length) });
    }
    const bytes = new Uint8Array(done);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  } catch (cause) {
    if (cause instanceof FewstepError) throw cause;
    if (signal?.aborted) return fail("cancelled", { code: "ABORTED", cause });
    return fail("the download of the model failed", {
      where: url,
      code: "NOT_FOUND",
      got: String(cause),
      hint: "Check the connection and try again.",
      cause,
    });
  }
}

/** Downloads weights for `readWeights`. */
export async function fetchWeights(url: string, options?: FetchOptions): Promise<void> {
  fetched.set(url, await fetchBytes(url, options));
}

/** Opens weights that were downloaded; they are forgotten when closed. */
export function readWeights(url: string): Safetensors {
  const bytes = fetched.get(url) ?? fail("these weights were not downloaded", { where: url, code: "NOT_FOUND" });
  const file = readSafetensors(bytes, url);
  return { ...file, close: () => fetched.delete(url) };
}
