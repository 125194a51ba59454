/** What the thread of a worker host does: opens sessions, runs them and holds memory, as it is asked. Knows no thread. */
import { internal } from "../base/index.ts";
import { HeldMemory } from "./held.ts";
import { openSession } from "./inline.ts";
import { type Answer, copyArrays, type Request } from "./messages.ts";
import type { Program } from "./program.ts";

const programs = new Map<number, Program>();
const memory = new HeldMemory();
let count = 0;

/** One request at a time. */
export async function answer(request: Request): Promise<Answer> {
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
