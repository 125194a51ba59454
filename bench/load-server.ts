/**
 * The processes of a load run, each on its own, so that the clients' work is not counted: the server, or (`idle`) one that
 * does nothing at all, whose event loop shows what the machine alone delays. Both tell their vitals when they are asked.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type LogEntry, startServer } from "fewstep/serve";

/** Milliseconds between two looks at the event loop; what is longer is delay. */
const RESOLUTION = 10;
const WINDOW_MS = 5_000;

/** Bytes and milliseconds. */
export interface Vitals {
  memory: number;
  /** Objects that are still wanted: what a leak would fill. */
  heap: number;
  /** Resident memory of the engine's process (Linux). */
  engine: number;
  /** Of the event loop since `begin`, and the longest of every five seconds. */
  delay: { p50: number; p99: number; longest: number[] };
  crashes: number;
}

/** One after the other: where counting begins, on the way, where it ends; `close` ends the process. */
type Question = "begin" | "vitals" | "finish" | "close";

/** Starts one. From `begin` on the server's engine is killed every so many milliseconds, if any are given. */
export async function startProcess(what: "server" | "idle", keys: readonly string[] = [], killEvery = 0) {
  const child = fork(new URL(import.meta.url), [what, `${killEvery}`, ...keys], { execArgv: ["--expose-gc"] });
  const { url } = await answerOf<{ url: string }>(child);
  const ask = (question: Question) => {
    child.send(question);
    return answerOf<Vitals>(child);
  };
  return { url, ask };
}

const answerOf = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a process of the run ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message as T);
    });
  });

function memoryOf(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function watchLoop() {
  const [all, window] = [RESOLUTION, RESOLUTION].map((resolution) => monitorEventLoopDelay({ resolution }));
  const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION);
  let longest: number[] = [];
  setInterval(() => {
    longest.push(late(window.max));
    window.reset();
  }, WINDOW_MS);
  return {
    begin() {
      for (const one of [all, window]) one.enable();
      for (const one of [all, window]) one.reset();
      longest = [];
    },
    // The last window is not over yet.
    told: () => ({
      p50: late(all.percentile(50)),
      p99: late(all.percentile(99)),
      longest: [...longest, late(window.max)],
    }),
  };
}

async function main(what: string, killEvery: number, keys: string[]): Promise<void> {
  let pid: number | undefined;
  let crashes = 0;
  const log = (entry: LogEntry) => {
    if (entry.event === "engine ready") pid = Number(entry.pid);
    if (entry.event === "engine ended") crashes++;
  };
  const server = what === "server" ? await startServer({ port: 0, keys, log }) : undefined;
  const loop = watchLoop();
  process.on("message", async (question: Question) => {
    const delay = loop.told();
    // A collection keeps the loop busy, so that it comes before the delays are counted or after they were read.
    if (question === "begin" || question === "finish") globalThis.gc?.();
    if (question === "begin") loop.begin();
    // Half an interval off, so that the engine is up again when it is looked at.
    if (question === "begin" && killEvery) setTimeout(() => setInterval(() => kill(pid), killEvery), killEvery / 2);
    const { rss: memory, heapUsed: heap } = process.memoryUsage();
    const vitals: Vitals = { memory, heap, engine: memoryOf(pid), delay, crashes };
    if (question === "close") await server?.close(5);
    process.send?.(vitals, () => question === "close" && process.exit());
  });
  process.send?.({ url: server?.url ?? "" });
}

function kill(pid: number | undefined): void {
  try {
    if (pid) process.kill(pid, "SIGKILL");
  } catch {
    // It is down already and about to start again.
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [, , what, killEvery, ...keys] = process.argv;
  await main(what, Number(killEvery), keys);
}
