/** Hosts: this thread, or a worker thread that several programs share. */
import { FewstepError, fail, internal, throwIfAborted } from "../base/index.ts";
import { Graph } from "../graph/index.ts";
import { writeOnnx } from "../onnx/index.ts";
import { checkFilled } from "./check.ts";
import { explainErrors, explained } from "./explain.ts";
import { HeldMemory } from "./held.ts";
import { openSession } from "./inline.ts";
import { type Answer, buffersOf, copyArrays, type Request } from "./messages.ts";
import type { Arrays, CompileOptions, Host, HostKind, Model, Program, SessionOptions } from "./program.ts";
import { startThread, type Thread } from "./thread.ts";

const toOnnx = (model: Model, weights: CompileOptions["weights"]): Uint8Array | string =>
  model instanceof Graph ? writeOnnx(model, { weights }) : model;

/** `settings` hold for every program that does not say otherwise. A worker thread starts with the first program. */
export function createHost({ host = "worker", ...settings }: SessionOptions & { host?: HostKind } = {}): Host {
  const { compile, hold, dispose } = host === "worker" ? workerHost(settings) : inlineHost(settings);
  return {
    async compile(model, options) {
      if (!(model instanceof Graph)) return compile(model, options);
      return explained(model, await compile(model, options).catch(explainErrors(model)));
    },
    hold,
    dispose,
  };
}

function inlineHost(settings: SessionOptions): Host {
  const programs: Program[] = [];
  const memory = new HeldMemory();
  return {
    async compile(model, { weights, ...options } = {}) {
      const program = await openSession(toOnnx(model, weights), { ...settings, ...options });
      programs.push(program);
      return {
        ...program,
        async run(feeds, into, { held = {}, ...run } = {}) {
          const more = { ...into, ...memory.views(held.into) };
          const out = await program.run({ ...feeds, ...memory.views(held.feeds) }, more, run);
          for (const name of Object.keys(held.into ?? {})) delete out[name];
          return out;
        },
      };
    },
    async hold(length) {
      const id = memory.add(length);
      return {
        id,
        length,
        read: async (offset, count) => memory.part({ id, offset, shape: [count] }).slice(),
        write: async (offset, data) => memory.part({ id, offset, shape: [data.length] }).set(data),
        release: async () => memory.release(id),
      };
    },
    async dispose() {
      for (const program of programs) await program.dispose();
    },
  };
}

/** Exported for tests, which bring their own thread. */
export function workerHost(settings: SessionOptions, start: () => Promise<Thread> = startThread): Host {
  let thread: Promise<Thread> | undefined;
  let disposed: FewstepError | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  /** One request at a time, in the order of asking. */
  function ask(pack: () => [Request, ArrayBuffer[]], signal?: AbortSignal): Promise<Answer> {
    const turn = queue.then(async () => {
      throwIfAborted(signal);
      if (disposed) throw disposed;
      return (await (thread ??= start())).ask(...pack());
    });
    queue = turn.catch(() => {});
    return turn;
  }

  return {
    async compile(model, { weights, ...options } = {}) {
      const onnx = toOnnx(model, weights);
      // Bytes made here move; bytes of the caller are copied.
      const moved = model instanceof Graph ? [(onnx as Uint8Array).buffer as ArrayBuffer] : [];
      const opened = await ask(() => [{ kind: "open", model: onnx, options: { ...settings, ...options } }, moved]);
      if (opened.kind !== "opened") return internal(`the worker answered ${opened.kind}`);
      const { program, inputs, outputs } = opened;
      let open = true;
      return {
        inputs,
        outputs,
        async run(feeds, into = {}, { signal, transfer = false, held = {} } = {}) {
          if (!open) fail("the program was disposed");
          checkInto(into, outputs);
          const ran = await ask(() => {
            for (const [name, value] of Object.entries(feeds)) checkFilled(`input "${name}"`, value);
            const given = transfer && ownTheirBuffers(feeds) ? feeds : copyArrays(feeds);
            return [{ kind: "run", program, feeds: given, held }, buffersOf(given)];
          }, signal);
          if (ran.kind !== "ran") return internal(`the worker answered ${ran.kind}`);
          return putInto(into, ran.arrays);
        },
        async dispose() {
          if (open && !disposed) await ask(() => [{ kind: "close", program }, []]);
          open = false;
        },
      };
    },
    async hold(length) {
      const made = await ask(() => [{ kind: "hold", length }, []]);
      if (made.kind !== "held") return internal(`the worker answered ${made.kind}`);
      const { id } = made;
      return {
        id,
        length,
        async read(offset, count) {
          const answer = await ask(() => [{ kind: "read", place: { id, offset, shape: [count] } }, []]);
          return answer.kind === "ran" ? (answer.arrays.out.data as Float32Array) : internal("no numbers came");
        },
        async write(offset, data) {
          const copy = data.slice();
          const place = { id, offset, shape: [copy.length] };
          await ask(() => [{ kind: "write", place, data: copy }, [copy.buffer]]);
        },
        async release() {
          if (!disposed) await ask(() => [{ kind: "release", id }, []]);
        },
      };
    },
    async dispose() {
      disposed ??= new FewstepError("the host of this program was disposed", { code: "ABORTED" });
      const running = await thread?.catch(() => undefined);
      await running?.end(disposed);
    },
  };
}

/** Whether arrays own all of their memory, so that it may move. */
const ownTheirBuffers = (arrays: Arrays): boolean =>
  Object.values(arrays).every(({ data }) => data.byteLength === data.buffer.byteLength);

function checkInto(into: Arrays, outputs: readonly string[]): void {
  const unknown = Object.keys(into).find((name) => !outputs.includes(name));
  if (unknown !== undefined) fail(`there is no output "${unknown}"`, { expected: outputs.join(", "), got: unknown });
}

/** The results, those with a place of their own written there. */
function putInto(into: Arrays, results: Arrays): Arrays {
  const out = { ...results };
  for (const [name, place] of Object.entries(into)) {
    const { dtype, shape, data } = results[name];
    if (place.dtype !== dtype || place.shape.join() !== shape.join())
      fail(`output "${name}" does not fit the array it should be written to`, {
        expected: `${dtype}[${shape}]`,
        got: `${place.dtype}[${place.shape}]`,
      });
    (place.data as Uint8Array).set(data as Uint8Array);
    out[name] = place;
  }
  return out;
}
