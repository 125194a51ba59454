/** Runs .onnx bytes on ONNX Runtime in this thread. `run` blocks the event loop while it computes. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { type DType, fail, type NdArray, throwIfAborted } from "../base/index.ts";
import { type Bound, checkArray, type Declared } from "./check.ts";
import { createFailure, runFailure } from "./failures.ts";
import { loadOrt, type Ort } from "./ort.ts";
import type { Arrays, Program, SessionOptions } from "./program.ts";

/** ONNX Runtime's log level: its errors reach people as exceptions, once. */
const FATAL = 4;

/** A program from bytes, or from a path where weights lie in a file beside it. */
export async function openSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Program> {
  const ort = await loadOrt(options);
  const session = await createSession(ort, model, options);
  let open = true;
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds, into = {}, { signal } = {}) {
      throwIfAborted(signal);
      if (!open) fail("the program was disposed");
      checkNames(session, feeds, into);
      const bound: Bound = new Map();
      const given = wrapAll(ort, session.inputNames, feeds, (name, value) =>
        checkArray("input", declared(session.inputMetadata, name), value, bound),
      );
      const fetches = wrapAll(ort, session.outputNames, into, (name, value) =>
        checkArray("output", declared(session.outputMetadata, name), value, bound),
      );
      const results = await session
        .run(given, fetches as Record<string, Tensor>, { logSeverityLevel: FATAL })
        .catch(runFailure);
      const out: Record<string, NdArray> = {};
      for (const name of session.outputNames) out[name] = into[name] ?? unwrap(results[name] as Tensor);
      return out;
    },
    async dispose() {
      if (open) await session.release();
      open = false;
    },
  };
}

async function createSession(ort: Ort, model: Uint8Array | string, options: SessionOptions): Promise<InferenceSession> {
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [options.device ?? "cpu"],
    logSeverityLevel: FATAL,
    extra: {
      session: {
        intra_op: { allow_spinning: options.spinning === false ? "0" : "1" },
        disable_prepacking: options.prepacking === false ? "1" : "0",
      },
    },
  };
  if (options.threads) settings.intraOpNumThreads = options.threads;
  if (options.profile) Object.assign(settings, { enableProfiling: true, profileFilePrefix: options.profile });
  try {
    return typeof model === "string"
      ? await ort.InferenceSession.create(model, settings)
      : await ort.InferenceSession.create(model, settings);
  } catch (cause) {
    return createFailure(cause, typeof model === "string" ? model : undefined, options.device);
  }
}

function checkNames(session: InferenceSession, feeds: Arrays, into: Arrays): void {
  const missing = session.inputNames.find((name) => !feeds[name]);
  if (missing !== undefined)
    fail(`input "${missing}" is missing`, {
      expected: session.inputNames.join(", "),
      got: Object.keys(feeds).join(", ") || "no inputs",
    });
  const unknown = Object.keys(into).find((name) => !session.outputNames.includes(name));
  if (unknown !== undefined)
    fail(`there is no output "${unknown}"`, { expected: session.outputNames.join(", "), got: unknown });
}

const declared = (metadata: readonly InferenceSession.ValueMetadata[], name: string): Declared => {
  const found = metadata.find((m) => m.name === name);
  return found?.isTensor ? found : fail(`"${name}" is not a tensor`, { code: "BAD_FILE" });
};

/** Tensors of the named arrays; null for those not given. */
function wrapAll(
  ort: Ort,
  names: readonly string[],
  arrays: Arrays,
  check: (name: string, value: NdArray) => void,
): Record<string, Tensor> {
  const tensors: Record<string, Tensor | null> = {};
  for (const name of names) {
    const value = arrays[name];
    if (value) check(name, value);
    tensors[name] = value ? new ort.Tensor(value.dtype as "float32", value.data as Float32Array, value.shape) : null;
  }
  // ONNX Runtime takes null for an output it should allocate; its types do not say so.
  return tensors as Record<string, Tensor>;
}

function unwrap({ type, dims, data }: Tensor): NdArray {
  const values = data as Float32Array;
  // Newer JavaScript engines give Float16Array; ours holds the bits.
  const bits = type === "float16" && new Uint16Array(values.buffer, values.byteOffset, values.length);
  return { dtype: type as DType, shape: dims, data: bits || values };
}
