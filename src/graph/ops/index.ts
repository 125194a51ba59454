/** The op vocabulary: every ONNX operator that graphs may use, with its shapes and its gradient. */
import { OPS } from "../apply.ts";
import type { OpDef } from "../table.ts";
import { convOps } from "./conv.ts";
import { elementwiseOps } from "./elementwise.ts";
import { indexOps } from "./gather.ts";
import { matmulOps } from "./matmul.ts";
import { normOps } from "./norm.ts";
import { quantizedOps } from "./quantized.ts";
import { reduceOps } from "./reduce.ts";
import { resampleOps } from "./resample.ts";
import { shapeOps } from "./shape.ts";

const tables: Record<string, OpDef>[] = [
  elementwiseOps,
  shapeOps,
  reduceOps,
  matmulOps,
  normOps,
  indexOps,
  convOps,
  resampleOps,
  quantizedOps,
];
for (const table of tables) for (const [op, def] of Object.entries(table)) OPS.set(op, def);

export { conv2d, convTranspose2d } from "./conv.ts";
export * from "./elementwise.ts";
export { gather, gatherElements, iota } from "./gather.ts";
export { gemm, matmul } from "./matmul.ts";
export { layerNormalization, logSoftmax, softmax } from "./norm.ts";
export * from "./quantized.ts";
export * from "./reduce.ts";
export { averagePool2, upsampleNearest2 } from "./resample.ts";
export * from "./shape.ts";
