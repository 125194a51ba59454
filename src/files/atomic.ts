/** Files that are either written whole or not at all. Knows nothing of what they hold. */
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { throwIfAborted } from "../base/index.ts";
import { explain } from "./errno.ts";

export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

let written = 0;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(bytes.length - at, 1 << 30));
    at += bytesWritten;
  }
}

/**
 * Writes `content` to a temporary file beside `path`, flushes it to disk and renames it over `path`. On any failure,
 * also of the code that makes the chunks, the temporary file is removed and `path` is as it was. A path that is not a
 * regular file (a pipe, a terminal) is written directly.
 */
export async function writeAtomic(
  path: string,
  content: Uint8Array | string | Chunks,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  const onDisk = <T>(work: Promise<T>): Promise<T> => work.catch((error) => explain(error, path, "write"));
  const chunks =
    typeof content === "string" ? [Buffer.from(content)] : content instanceof Uint8Array ? [content] : content;
  const existing = await stat(path).catch(() => undefined);
  const direct = existing !== undefined && !existing.isFile();
  const target = direct ? path : `${path}.${process.pid}-${++written}.tmp`;
  const file = await onDisk(open(target, direct ? "w" : "wx"));
  try {
    try {
      for await (const chunk of chunks) {
        throwIfAborted(signal);
        await onDisk(writeAll(file, chunk));
      }
      if (!direct) await onDisk(file.sync());
    } finally {
      await file.close();
    }
    if (!direct) await onDisk(rename(target, path));
  } catch (error) {
    if (!direct) await rm(target, { force: true });
    throw error;
  }
}

/** Writes `value` as indented JSON, atomically. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  writeAtomic(path, JSON.stringify(value, null, 2) + "\n");
