/** Finds ONNX Runtime in a page: onnxruntime-web, the build with WebGPU only where that is asked for. */
import { fail } from "../base/index.ts";
import type { Ort } from "./ort.ts";
import type { SessionOptions } from "./program.ts";

export type { Ort } from "./ort.ts";

let loading: Promise<Ort> | undefined;

/** Uses this module instead of the package onnxruntime-web, in this thread. */
export function useOrt(module: Ort): void {
  loading = Promise.resolve(module);
}

/** The first call decides about device and threads. Errors: BACKEND_UNAVAILABLE when the package does not load. */
export function loadOrt(options: SessionOptions = {}): Promise<Ort> {
  loading ??= load(options).catch((cause) => {
    loading = undefined;
    return fail("ONNX Runtime could not be loaded", {
      cause,
      code: "BACKEND_UNAVAILABLE",
      expected: "the package onnxruntime-web",
      got: cause instanceof Error ? cause.message.split("\n")[0] : String(cause),
      hint: "Run npm install onnxruntime-web.",
    });
  });
  return loading;
}

async function load({ device, threads }: SessionOptions): Promise<Ort> {
  const ort = device === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  // What goes wrong reaches people as exceptions, once.
  ort.env.logLevel = "fatal";
  // Threads share memory, which a page may only if its server says so (COOP and COEP).
  if (!globalThis.crossOriginIsolated) ort.env.wasm.numThreads = 1;
  else if (threads) ort.env.wasm.numThreads = threads;
  return ort as unknown as Ort;
}
