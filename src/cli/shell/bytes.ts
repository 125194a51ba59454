/** Progress of long work with bytes: one bar for everything, with what is left. */
import type { Io } from "./io.ts";
import { progressBar } from "./progress.ts";

export interface BytesBar {
  show(done: number, total: number): void;
  clear(): void;
}

/** Counts in megabytes, so that the line changes seldom enough to be read. */
export function bytesBar(io: Io, label: string): BytesBar {
  const bar = progressBar(io, label);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  return {
    show: (done, total) => bar.show(megabytes(done), Math.max(1, megabytes(total))),
    clear: bar.clear,
  };
}
