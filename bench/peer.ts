/** A process that is asked one JSON line at a time and answers with one. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";

export interface Answer {
  ms: number;
  rss: number;
}

export interface Peer {
  readonly name: string;
  /** Seconds until it could be asked. */
  readonly ready: number;
  ask(request: object): Promise<Answer>;
  end(): void;
}

/** Starts a process and waits until it is ready. Errors: it ends before. */
export async function startPeer(name: string, command: string, args: readonly string[]): Promise<Peer> {
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${name} ended with code ${code}`)));
  });
  ended.catch(() => {});
  const lines: Interface = createInterface({ input: child.stdout! });
  const iterator = lines[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> =>
    JSON.parse((await Promise.race([iterator.next(), ended])).value as string) as T;
  const { ready } = await next<{ ready: number }>();
  return {
    name,
    ready,
    ask(request) {
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      return next<Answer>();
    },
    end: () => void child.kill(),
  };
}
