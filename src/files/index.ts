/** Files that hold tensors, logs and users' data, written whole or not at all. */
export * from "./atomic.ts";
export { fromBfloat16, fromFloat16, narrow, toFloat16, widen } from "./half.ts";
export * from "./safetensors.ts";
export * from "./safetensors-write.ts";
