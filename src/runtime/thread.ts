/** Life of a worker thread: started, asked one thing at a time, ended. Knows nothing of what is asked. */
import type { Worker } from "node:worker_threads";
import { type ErrorCode, FewstepError, fail } from "../base/index.ts";
import { type Answer, type Reply, type Request, unpackError } from "./messages.ts";

export interface Thread {
  /** The answer, or the thread's error. The caller waits for it before asking again. */
  ask(request: Request, transfer: ArrayBuffer[]): Promise<Answer>;
  /** Rejects what is going on and all that comes later, and ends the thread as soon as it computes nothing. */
  end(reason: FewstepError): Promise<void>;
}

/** Set to 1 while a thread computes; the thread clears it. */
const busyFlags = new Set<Int32Array>();
const EXIT_PATIENCE_MS = 30_000;

/** A thread that is ended inside ONNX Runtime aborts the process; so the process leaves when the run is over. */
function finishBeforeExit(): void {
  for (const busy of busyFlags) Atomics.wait(busy, 0, 1, EXIT_PATIENCE_MS);
}

/** The compiled worker file; from TypeScript sources it is the one that the last build made. */
export async function startWorker(busy: Int32Array): Promise<Worker> {
  const { existsSync } = await import("node:fs");
  const { Worker } = await import("node:worker_threads");
  const url = new URL(
    import.meta.url.endsWith(".ts") ? "../../dist/runtime/worker.js" : "./worker.js",
    import.meta.url,
  );
  if (!existsSync(url))
    fail("the compiled worker is missing", { where: url.pathname, hint: "Run npm run build.", code: "NOT_FOUND" });
  // Without the flags of this process: some, as --input-type, are refused by a worker.
  return new Worker(url, { name: "fewstep", workerData: busy, execArgv: [] });
}

/** `start` is a parameter for tests, which end the worker from outside. */
export async function startThread(start = startWorker): Promise<Thread> {
  const busy = new Int32Array(new SharedArrayBuffer(4));
  const worker = await start(busy);
  if (!busyFlags.size) process.on("exit", finishBeforeExit);
  busyFlags.add(busy);
  worker.unref();

  let ended: FewstepError | undefined;
  let settle: ((reply: Reply) => void) | undefined;
  let rest: (() => void) | undefined;
  let idle: Promise<void> = Promise.resolve();

  function stop(reason: FewstepError): void {
    ended ??= reason;
    settle?.({ error: ended });
  }

  worker.on("message", (reply: Reply) => {
    settle?.(reply);
    rest?.();
    // An idle thread does not keep the process alive, a computing one does.
    worker.unref();
  });
  worker.on("error", (error: Error & { code?: string }) => {
    const memory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    stop(crash(error.message, memory ? "OUT_OF_MEMORY" : "INTERNAL"));
  });
  worker.on("exit", (code) => {
    stop(crash(`exit code ${code}`, "INTERNAL"));
    rest?.();
    busyFlags.delete(busy);
    if (!busyFlags.size) process.off("exit", finishBeforeExit);
  });

  return {
    async ask(request, transfer) {
      if (ended) throw unpackError(ended);
      const replied = new Promise<Reply>((resolve) => (settle = resolve));
      Atomics.store(busy, 0, 1);
      try {
        worker.postMessage(request, transfer);
      } catch (error) {
        Atomics.store(busy, 0, 0);
        throw error;
      }
      worker.ref();
      idle = new Promise((resolve) => (rest = resolve));
      const reply = await replied;
      if ("error" in reply) throw unpackError(reply.error);
      return reply.answer;
    },
    async end(reason) {
      stop(reason);
      await idle;
      await worker.terminate();
    },
  };
}

const crash = (got: string, code: ErrorCode) =>
  new FewstepError("the compute thread stopped", {
    got,
    code,
    hint: code === "OUT_OF_MEMORY" ? "Use a smaller batch." : "Create a new host to go on.",
  });
