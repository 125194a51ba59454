/** One line that shows how far something is, on terminals only. */
import type { Io } from "./io.ts";

const WIDTH = 24;

export interface ProgressBar {
  show(done: number, total: number): void;
  clear(): void;
}

export function progressBar(io: Io, label: string): ProgressBar {
  let shown = "";
  return {
    show(done, total) {
      const full = Math.round((done / total) * WIDTH);
      const line = `${label} [${"#".repeat(full)}${".".repeat(WIDTH - full)}] ${done}/${total}`;
      if (!io.live || line === shown) return;
      io.err(`\r${line}`);
      shown = line;
    },
    clear() {
      if (shown) io.err(`\r${" ".repeat(shown.length)}\r`);
      shown = "";
    },
  };
}
