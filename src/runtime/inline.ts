/** Runs .onnx bytes on ONNX Runtime in this thread. `run` blocks the event loop while it computes. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { type DType, fail, type NdArray } from "../base/index.ts";
import type { CompileOptions, Program } from "./program.ts";

type Ort = typeof import("onnxruntime-node");
let loading: Promise<Ort> | undefined;

/** ONNX Runtime's Node binding, loaded on first use. */
export function loadOrt(): Promise<Ort> {
  loading ??= import("onnxruntime-node").then(
    (module) => (module as Ort & { default?: Ort }).default ?? module,
    (cause) =>
      fail("ONNX Runtime could not be loaded", {
        cause,
        code: "BACKEND_UNAVAILABLE",
        expected: "the package onnxruntime-node for this platform",
        got: cause instanceof Error ? cause.message.split("\n")[0] : String(cause),
        hint: "Run npm install again.",
      }),
  );
  return loading;
}

/** A program from bytes, or from a path where weights lie in a file beside it. */
export async function openSession(model: Uint8Array | string, options: CompileOptions = {}): Promise<Program> {
  const ort = await loadOrt();
  const session = await createSession(ort, model, options);
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds, into = {}) {
      const given: Record<string, Tensor> = {};
      for (const name of session.inputNames) {
        const value =
          feeds[name] ??
          fail(`input "${name}" is missing`, {
            expected: session.inputNames.join(", "),
            got: Object.keys(feeds).join(", "),
          });
        given[name] = wrap(ort, value);
      }
      const fetches: Record<string, Tensor | null> = {};
      for (const name of session.outputNames) fetches[name] = into[name] ? wrap(ort, into[name]) : null;
      const results = await session.run(given, fetches as Record<string, Tensor>);
      const out: Record<string, NdArray> = {};
      for (const name of session.outputNames) out[name] = into[name] ?? unwrap(results[name] as Tensor);
      return out;
    },
    dispose: () => session.release(),
  };
}

async function createSession(ort: Ort, model: Uint8Array | string, options: CompileOptions): Promise<InferenceSession> {
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [options.device ?? "cpu"],
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: options.spinning === false ? "0" : "1" } } },
  };
  if (options.threads) settings.intraOpNumThreads = options.threads;
  if (options.profile) Object.assign(settings, { enableProfiling: true, profileFilePrefix: options.profile });
  try {
    return typeof model === "string"
      ? await ort.InferenceSession.create(model, settings)
      : await ort.InferenceSession.create(model, settings);
  } catch (cause) {
    return fail("ONNX Runtime refused the graph", {
      cause,
      code: "BACKEND_UNAVAILABLE",
      got: cause instanceof Error ? cause.message : String(cause),
    });
  }
}

const wrap = (ort: Ort, { dtype, data, shape }: NdArray): Tensor =>
  new ort.Tensor(dtype as "float32", data as Float32Array, shape as number[]);

const unwrap = (t: Tensor): NdArray => ({ dtype: t.type as DType, shape: t.dims, data: t.data as Float32Array });
