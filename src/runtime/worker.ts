/** The thread of a worker host in Node. */
import { parentPort, workerData } from "node:worker_threads";
import { internal } from "../base/index.ts";
import { answer } from "./answers.ts";
import { buffersOf, packError, type Reply, type Request } from "./messages.ts";

const port = parentPort ?? internal("the worker was started outside a worker thread");
/** Shared with the owner, who does not end the thread while it is 1. */
const busy: Int32Array = workerData;

function post(reply: Reply): void {
  // Before the reply, or the owner's next request could be taken for done.
  Atomics.store(busy, 0, 0);
  Atomics.notify(busy, 0);
  port.postMessage(reply, "answer" in reply && reply.answer.kind === "ran" ? buffersOf(reply.answer.arrays) : []);
}

port.on("message", (request: Request) => {
  answer(request).then(
    (answer) => post({ answer }),
    (error) => post({ error: packError(error) }),
  );
});
