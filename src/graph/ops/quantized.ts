/**
 * Operators of inference programs: stored numbers of few bits, products that read transposed arrays in place. None has a
 * gradient; each has a plain twin that a test compares it with.
 */
import { apply } from "../apply.ts";
import type { Dim, Tensor } from "../graph.ts";
import { defineOps, type InferContext } from "../table.ts";

/** Rows and columns of an operand of FusedMatMul, its batch axes first. */
function operand(shape: readonly Dim[], swapBatch: boolean, swapLast: boolean): Dim[] {
  const moved = swapBatch ? [...shape.slice(1, -1), shape[0], shape[shape.length - 1]] : [...shape];
  return swapLast ? [...moved.slice(0, -2), moved[moved.length - 1], moved[moved.length - 2]] : moved;
}

const perColumn = ({ inputs: [x, scale], refuse }: InferContext, dtype: "uint8" | "int8" | "float32") => {
  if (scale.shape.length > 1) refuse("one scale, or one for each slice");
  return { dtype, shape: x.shape };
};

export const quantizedOps = defineOps({
  /** alpha * A'B', with the first axis of A or B taken as its rows (transBatch) and rows and columns swapped (trans). */
  FusedMatMul: {
    domain: "com.microsoft",
    infer({ inputs: [a, b], int, refuse }) {
      const [x, y] = [
        operand(a.shape, int("transBatchA", 0) === 1, int("transA", 0) === 1),
        operand(b.shape, int("transBatchB", 0) === 1, int("transB", 0) === 1),
      ];
      const batch = x.slice(0, -2);
      if (x.length !== y.length || batch.join() !== y.slice(0, -2).join() || x.at(-1) !== y.at(-2))
        refuse("operands of equal batch axes whose inner sizes agree");
      return { dtype: a.dtype, shape: [...batch, x.at(-2)!, y.at(-1)!] };
    },
  },
  /** A times weights [N, K / block, bytes] of `bits` bits with one scale a block. */
  MatMulNBits: {
    domain: "com.microsoft",
    infer({ inputs: [a, b, scales], int, refuse }) {
      const [k, n, blocks] = [int("K"), int("N"), Math.ceil(int("K") / int("block_size"))];
      const bytes = (int("block_size") * int("bits")) / 8;
      if (
        a.shape.at(-1) !== k ||
        b.shape.join() !== [n, blocks, bytes].join() ||
        scales.shape.join() !== `${n * blocks}`
      )
        refuse(`[..., ${k}], weights [${n}, ${blocks}, ${bytes}] and ${n * blocks} scales`);
      return { dtype: a.dtype, shape: [...a.shape.slice(0, -1), n] };
    },
  },
  /** uint8 values, their scale and their zero, from the range of the whole tensor. */
  DynamicQuantizeLinear: {
    infer: ({ inputs: [x] }) => [
      { dtype: "uint8", shape: x.shape },
      { dtype: "float32", shape: [] },
      { dtype: "uint8", shape: [] },
    ],
  },
  MatMulInteger: {
    infer({ inputs: [a, b], refuse }) {
      if (b.shape.length !== 2 || a.shape.at(-1) !== b.shape[0]) refuse("[..., k] and [k, n]");
      return { dtype: "int32", shape: [...a.shape.slice(0, -1), b.shape[1]] };
    },
  },
  QuantizeLinear: { infer: (c) => perColumn(c, (c.inputs[2]?.dtype as "uint8") ?? "uint8") },
  DequantizeLinear: { infer: (c) => perColumn(c, "float32") },
  /** x, its scale and zero, w, its scales and zeros, scale and zero of y, bias. */
  QLinearConv: {
    infer({ inputs: [x, , , w, , , , zero], ints, fixed, refuse }) {
      if (x.shape.length !== 4 || x.shape[1] !== w.shape[1]) refuse("pixels [B, C, H, W] and weights [O, C, kh, kw]");
      const [strides, pads] = [ints("strides", [1, 1]), ints("pads", [0, 0, 0, 0])];
      const size = (i: number) =>
        Math.floor((fixed(x.shape[i + 2]) + pads[i] + pads[i + 2] - fixed(w.shape[i + 2])) / strides[i]) + 1;
      return { dtype: zero.dtype, shape: [x.shape[0], w.shape[0], size(0), size(1)] };
    },
  },
});

const flags = (names: Readonly<Record<string, boolean | undefined>>) =>
  Object.fromEntries(Object.entries(names).map(([name, on]) => [name, { int: on ? 1 : 0 }]));

export interface FusedFlags {
  transA?: boolean;
  transB?: boolean;
  transBatchA?: boolean;
  transBatchB?: boolean;
}

export const fusedMatmul = (a: Tensor, b: Tensor, { transA, transB, transBatchA, transBatchB }: FusedFlags) =>
  apply("FusedMatMul", [a, b], {
    alpha: { float: 1 },
    ...flags({ transA, transB, transBatchA, transBatchB }),
  })[0];

/** x [..., K] times weights uint8 [N, K / block, block * bits / 8] with scales float32 [N * K / block]. */
export function matmulNBits(
  x: Tensor,
  weight: Tensor,
  scales: Tensor,
  { bits, block, bias }: { bits: 4 | 8; block: number; bias?: Tensor },
): Tensor {
  const [n] = weight.shape as readonly number[];
  return apply("MatMulNBits", bias ? [x, weight, scales, undefined, undefined, bias] : [x, weight, scales], {
    K: { int: Number(x.shape.at(-1)) },
    N: { int: n },
    bits: { int: bits },
    block_size: { int: block },
    accuracy_level: { int: 4 },
  })[0];
}

export interface Quantized {
  values: Tensor;
  scale: Tensor;
  zero: Tensor;
}

export function dynamicQuantize(x: Tensor): Quantized {
  const [values, scale, zero] = apply("DynamicQuantizeLinear", [x]);
  return { values, scale, zero };
}

export const matmulInteger = ({ values, zero }: Quantized, weight: Tensor) =>
  apply("MatMulInteger", [values, weight, zero])[0];

export const quantizeLinear = (x: Tensor, scale: Tensor, zero: Tensor) => apply("QuantizeLinear", [x, scale, zero])[0];
export const dequantizeLinear = (x: Tensor, scale: Tensor, zero: Tensor) =>
  apply("DequantizeLinear", [x, scale, zero])[0];

/** Static int8 convolution: everything but `x` is a constant or a stored weight. */
export const qlinearConv = (inputs: readonly Tensor[], strides: readonly number[], pads: readonly number[]) =>
  apply("QLinearConv", inputs, { strides: { ints: strides }, pads: { ints: pads } })[0];
