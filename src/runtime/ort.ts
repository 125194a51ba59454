/** Finds ONNX Runtime: the Node binding, loaded on first use, or whatever module was given. */
import { fail } from "../base/index.ts";
import type { SessionOptions } from "./program.ts";

/** What we use of onnxruntime-node; onnxruntime-web has the same. */
export type Ort = Pick<typeof import("onnxruntime-node"), "InferenceSession" | "Tensor">;

let loading: Promise<Ort> | undefined;

/** Uses this module (onnxruntime-web, a build of one's own) instead of onnxruntime-node, in this thread. */
export function useOrt(module: Ort): void {
  loading = Promise.resolve(module);
}

/**
 * ONNX Runtime. Errors: BACKEND_UNAVAILABLE when the package is missing or has no binary for this platform.
 * In a page ort.web.ts does the same, where the build depends on the device.
 */
export function loadOrt(_for?: SessionOptions): Promise<Ort> {
  loading ??= import("onnxruntime-node").then(
    (module) => (module as Ort & { default?: Ort }).default ?? module,
    (cause) => {
      loading = undefined;
      return fail("ONNX Runtime could not be loaded", {
        cause,
        code: "BACKEND_UNAVAILABLE",
        expected: "the package onnxruntime-node for this platform",
        got: cause instanceof Error ? cause.message.split("\n")[0] : String(cause),
        hint: "Run npm install onnxruntime-node.",
      });
    },
  );
  return loading;
}
