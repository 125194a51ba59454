/** The thread of a worker host: opens sessions and runs them on request, one at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { internal } from "../base/index.ts";
import { HeldMemory } from "./held.ts";
import { openSession } from "./inline.ts";
import { type Answer, buffersOf, copyArrays, packError, type Reply, type Request } from "./messages.ts";
import type { Program } from "./program.ts";

const port = parentPort ?? internal("the worker was started outside a worker thread");
/** Shared with the owner, who does not end the thread while it is 1. */
const busy: Int32Array = workerData;
const programs = new Map<number, Program>();
const memory = new HeldMemory();
let count = 0;

async function answer(request: Request): Promise<Answer> {
  if (request.kind === "open") {
    const program = await openSession(request.model, request.options);
    programs.set(++count, program);
    return { kind: "opened", program: count, inputs: program.inputs, outputs: program.outputs };
  }
  if (request.kind === "hold") return { kind: "held", id: memory.add(request.length) };
  if (request.kind === "read") return { kind: "ran", arrays: copyArrays(memory.views({ out: request.place })) };
  if (request.kind === "write") memory.part(request.place).set(request.data);
  if (request.kind === "release") memory.release(request.id);
  if (request.kind === "write" || request.kind === "release") return { kind: "closed" };
  const program = programs.get(request.program) ?? internal(`the worker has no program ${request.program}`);
  // Copies, because memory of ONNX Runtime must be freed in the thread that made it.
  if (request.kind === "run") {
    const { feeds, into } = request.held;
    const out = await program.run({ ...request.feeds, ...memory.views(feeds) }, memory.views(into));
    for (const name of Object.keys(into ?? {})) delete out[name];
    return { kind: "ran", arrays: copyArrays(out) };
  }
  programs.delete(request.program);
  await program.dispose();
  return { kind: "closed" };
}

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
