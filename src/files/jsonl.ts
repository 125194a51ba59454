/** Logs of one JSON object a line, for training. A line is whole or absent, also after the process was killed. */
import fs from "node:fs";
import { fail } from "../base/index.ts";
import { explain } from "./errno.ts";

export interface LogRecord {
  step: number;
  [key: string]: unknown;
}

export interface Log {
  /** Writes one line. Errors: disk full (the line is then absent). */
  append(record: LogRecord): void;
  close(): void;
}

/** A line that ends in a newline, with the position after it. */
interface Line {
  value: unknown;
  end: number;
}

function* linesOf(bytes: Uint8Array, path: string): Generator<Line> {
  let start = 0;
  for (let number = 1; ; number++) {
    const newline = bytes.indexOf(10, start);
    if (newline < 0) return;
    const text = new TextDecoder().decode(bytes.subarray(start, newline));
    start = newline + 1;
    if (text.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      fail("this line is not JSON", { where: `${path}:${number}`, code: "BAD_FILE", got: text.slice(0, 80), cause });
    }
    yield { value, end: start };
  }
}

function readBytes(path: string): Uint8Array {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    return explain(error, path, "read");
  }
}

/** All records of a log. A last line without its newline was torn by a kill and is left out. Errors: other bad lines. */
export const readLog = (path: string): LogRecord[] =>
  Array.from(linesOf(readBytes(path), path), ({ value }) => value as LogRecord);

/**
 * Opens a log for appending, created if absent. A torn last line is removed; with `after`, so is everything from the
 * first record with a greater step on, which is how a run resumes at a checkpoint.
 */
export function openLog(path: string, { after = Number.POSITIVE_INFINITY }: { after?: number } = {}): Log {
  let size = 0;
  const regular = fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
  if (regular && fs.existsSync(path))
    for (const { value, end } of linesOf(readBytes(path), path)) {
      if ((value as LogRecord).step > after) break;
      size = end;
    }
  const onDisk = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      return explain(error, path, "write");
    }
  };
  const fd = onDisk(() => fs.openSync(path, "a"));
  const truncate = () => {
    if (regular) fs.ftruncateSync(fd, size);
  };
  onDisk(truncate);
  return {
    append(record) {
      const line = Buffer.from(JSON.stringify(record) + "\n");
      try {
        for (let at = 0; at < line.length; ) at += fs.writeSync(fd, line, at);
        size += line.length;
      } catch (error) {
        truncate();
        explain(error, path, "write");
      }
    },
    close: () => fs.closeSync(fd),
  };
}
