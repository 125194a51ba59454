/// <reference lib="dom" />
/** Life of a worker thread in a page: started, asked one thing at a time, ended. Knows nothing of what is asked. */
import { type FewstepError, fail } from "../base/index.ts";
import { type Reply, unpackError } from "./messages.ts";
import type { Thread } from "./thread.ts";

export type { Thread } from "./thread.ts";

/** Bundlers know this form and make the worker a file of its own. */
const startWorker = (): Worker =>
  new Worker(new URL("./worker.web.js", import.meta.url), { type: "module", name: "fewstep" });

export async function startThread(): Promise<Thread> {
  const worker = startWorker();
  let ended: FewstepError | undefined;
  let settle: ((reply: Reply) => void) | undefined;

  function stop(reason: FewstepError): void {
    ended ??= reason;
    settle?.({ error: ended });
  }

  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => settle?.(data));
  worker.addEventListener("error", (event) => {
    try {
      fail("the compute thread stopped", {
        got: event.message || "its script did not load",
        code: "INTERNAL",
        hint: "Load the model again.",
      });
    } catch (error) {
      stop(error as FewstepError);
    }
  });

  return {
    async ask(request, transfer) {
      if (ended) throw ended;
      const replied = new Promise<Reply>((resolve) => (settle = resolve));
      worker.postMessage(request, transfer);
      const reply = await replied;
      if ("error" in reply) throw unpackError(reply.error);
      return reply.answer;
    },
    async end(reason) {
      stop(reason);
      worker.terminate();
    },
  };
}
