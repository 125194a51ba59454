/** Layers as functions from tensor to tensor. Parameter names come from the graph's scope, in PyTorch's words and shapes. */
import { f32 } from "../base/index.ts";
import {
  add,
  conv2d,
  convTranspose2d,
  type Dim,
  gather,
  gemm,
  type Init,
  layerNormalization,
  matmul,
  mul,
  reshape,
  slice,
  staticDim,
  type Tensor,
  transpose,
} from "../graph/index.ts";

const dim = (d: Dim) => staticDim(d, "a layer's width");

export interface LinearOptions {
  bias?: boolean;
  init?: Init;
}

/** y = x W' + b over the last axis; weight [out, in]. */
export function linear(x: Tensor, out: number, { bias = true, init }: LinearOptions = {}): Tensor {
  const weight = x.graph.param("weight", [out, dim(x.shape.at(-1)!)], init);
  return affine(x, weight, bias ? x.graph.param("bias", [out], { constant: 0 }) : undefined);
}

/** Outputs start ... end-1 of a linear layer that has `size` of them: the head of one modality. */
export function linearRows(x: Tensor, size: number, start: number, end: number): Tensor {
  const weight = x.graph.param("weight", [size, dim(x.shape.at(-1)!)]);
  const bias = x.graph.param("bias", [size], { constant: 0 });
  const part = (t: Tensor) => (end - start === size ? t : slice(t, 0, start, end));
  return affine(x, part(weight), part(bias));
}

/** One Gemm over flattened leading axes; with two sizes still unknown a batched product, which needs no flattening. */
function affine(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const lead = x.shape.slice(0, -1);
  const [out, width] = weight.shape;
  if (lead.filter((d) => typeof d === "string").length > 1) {
    const product = matmul(x, transpose(weight, [1, 0]));
    return bias ? add(product, bias) : product;
  }
  const rows = reshape(x, [lead.length === 1 ? lead[0] : -1, width]);
  return reshape(gemm(rows, weight, { transB: true, c: bias }), [...lead, out]);
}

/** Over the last axis, with weight and bias. */
export function layerNorm(x: Tensor, epsilon: number): Tensor {
  const width = [dim(x.shape.at(-1)!)];
  const weight = x.graph.param("weight", width, { constant: 1 });
  return layerNormalization(x, weight, x.graph.param("bias", width, { constant: 0 }), epsilon);
}

/** Rows of a [size, width] table. */
export const embedding = (ids: Tensor, size: number, width: number): Tensor =>
  gather(ids.graph.param("weight", [size, width]), ids);

export interface ConvOptions {
  kernel?: number;
  stride?: number;
  /** Top, left, bottom, right; default keeps the size for stride 1. */
  pads?: readonly number[];
}

/** [B, C, H, W] -> [B, out, H', W']; weight [out, C, k, k]. Initial weights as PyTorch's default (uniform by fan-in). */
export function conv(x: Tensor, out: number, { kernel = 3, stride = 1, pads }: ConvOptions = {}): Tensor {
  const ins = dim(x.shape[1]);
  const bound = 1 / Math.sqrt(ins * kernel * kernel);
  const weight = x.graph.param("weight", [out, ins, kernel, kernel], { uniform: bound });
  const bias = x.graph.param("bias", [out], { uniform: bound });
  const same = (kernel - 1) / 2;
  return conv2d(x, weight, bias, { strides: [stride, stride], pads: pads ?? [same, same, same, same] });
}

/** What each row of a kernel of 4 takes of one of 3: output 2i - 1 + k of the enlarged picture reads input i by these. */
const TAPS = [[2], [1, 2], [0, 1], [0]];

/**
 * `conv` with a kernel of 3 after nearest-neighbour enlargement by two, as one transposed convolution: [B, C, H, W] ->
 * [B, out, 2H, 2W], weight [out, C, 3, 3]. The four outputs of a pixel read 2x2 pixels each, not 3x3 of which some are the same.
 */
export function enlargedConv(x: Tensor, out: number): Tensor {
  const ins = dim(x.shape[1]);
  const bound = 1 / Math.sqrt(ins * 9);
  const weight = x.graph.param("weight", [out, ins, 3, 3], { uniform: bound });
  const bias = x.graph.param("bias", [out], { uniform: bound });
  const sums = new Float32Array(9 * 16);
  for (let k = 0; k < 16; k++)
    for (const i of TAPS[k >> 2]) for (const j of TAPS[k & 3]) sums[(i * 3 + j) * 16 + k] = 1;
  const kernels = gemm(reshape(weight, [out * ins, 9]), x.graph.constant(f32([9, 16], sums)));
  const turned = transpose(reshape(kernels, [out, ins, 4, 4]), [1, 0, 2, 3]);
  return convTranspose2d(x, turned, bias, { strides: [2, 2], pads: [1, 1, 1, 1] });
}

/** Mean and variance over each group of channels and all of space; weight and bias per channel. */
export function groupNorm(x: Tensor, groups: number, epsilon: number): Tensor {
  const [, channels, height, width] = x.shape.map(dim);
  const span = (channels / groups) * height * width;
  const ones = x.graph.constant(f32([span], new Float32Array(span).fill(1)));
  const normal = reshape(layerNormalization(reshape(x, [-1, groups, span]), ones, undefined, epsilon), x.shape);
  const perChannel = (name: string, value: number) =>
    reshape(x.graph.param(name, [channels], { constant: value }), [channels, 1, 1]);
  return add(mul(normal, perChannel("weight", 1)), perChannel("bias", 0));
}
