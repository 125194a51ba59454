/** Describes computations as graphs of ONNX operators and differentiates them. Runs nothing. */
export { gradients } from "./backward.ts";
export * from "./graph.ts";
export * from "./ops/index.ts";
export { printGraph, printNode } from "./print.ts";
export { broadcast } from "./table.ts";
