/** The world as a command sees it: streams, terminal, environment, cancelling. Tests bring their own. */

import type { LoadOptions } from "../../models/index.ts";

export interface Io {
  /** Writes to standard output. Errors: disk full, closed pipe. */
  out(data: string | Uint8Array): Promise<void>;
  /** Messages and progress; never part of the output. */
  err(text: string): void;
  /** All of standard input. */
  input(): Promise<Uint8Array>;
  /** Whether a person watches messages, so that progress may be drawn over itself. */
  readonly live: boolean;
  /** Whether standard output shows 24-bit colours. */
  readonly colors: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Where models run; default: a thread of their own, so that cancelling works at any moment. */
  readonly host?: LoadOptions["host"];
}

/** Text from models and files, which must not steer the terminal: control characters but new lines become U+FFFD. */
export const printable = (text: string): string => text.replace(/(?!\n)\p{Cc}/gu, "\ufffd");

/** This process. Ctrl-C cancels; a second one ends at once. */
export function processIo(): Io {
  const { stdout, stderr, stdin, env } = process;
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  // Failed writes are reported by `out`; without a listener the event would end the process.
  stdout.on("error", () => {});
  stderr.on("error", () => {});
  return {
    out: (data) => new Promise((resolve, reject) => stdout.write(data, (error) => (error ? reject(error) : resolve()))),
    err: (text) => void stderr.write(text),
    async input() {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    live: stderr.isTTY === true && !env.CI && env.TERM !== "dumb",
    colors: stdout.isTTY === true && !env.NO_COLOR && stdout.hasColors(2 ** 24),
    env,
    signal: controller.signal,
  };
}
