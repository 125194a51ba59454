/** Two-dimensional convolution on [B, C, H, W]. */
import { f32 } from "../../base/index.ts";
import { apply } from "../apply.ts";
import type { Shape, Tensor } from "../graph.ts";
import { defineOps, type GradContext, type InferContext } from "../table.ts";
import { gemm } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";
import { concat, pad, reshape, slice, transpose } from "./shape.ts";

type Spatial = { strides: readonly number[]; pads: readonly number[] };

function spatial({ ints }: Pick<InferContext, "ints">): Spatial {
  return { strides: ints("strides", [1, 1]), pads: ints("pads", [0, 0, 0, 0]) };
}

export const convOps = defineOps({
  Conv: {
    infer(context) {
      const [x, weight, bias] = context.inputs;
      const { refuse, has, fixed } = context;
      if (x.shape.length !== 4 || weight.shape.length !== 4 || x.shape[1] !== weight.shape[1])
        refuse("pixels [B, C, H, W] and weights [O, C, kh, kw]");
      if (has(2) && bias.shape.join() !== String(weight.shape[0])) refuse(`a bias [${weight.shape[0]}]`);
      const { strides, pads } = spatial(context);
      const [h, w] = [0, 1].map((i) => {
        const padded = fixed(x.shape[i + 2]) + pads[i] + pads[i + 2];
        return Math.floor((padded - fixed(weight.shape[i + 2])) / strides[i]) + 1;
      });
      if (h < 1 || w < 1) refuse("pixels at least as large as the kernel");
      return { dtype: x.dtype, shape: [x.shape[0], weight.shape[0], h, w] };
    },
    gradient(context) {
      const { inputs, grads, wants } = context;
      const g = grads[0]!;
      return [
        wants(0) ? inputGradient(g, context) : undefined,
        wants(1) ? weightGradient(inputs[0], g, inputs[1].shape, context) : undefined,
        inputs[2] && wants(2) ? reduceSum(byChannel(g), [1]) : undefined,
      ];
    },
  },
  /** What a Conv with these weights does to gradients: [B, C, h, w] and [C, O, kh, kw] -> [B, O, H, W]. */
  ConvTranspose: {
    infer(context) {
      const [x, weight, bias] = context.inputs;
      const { strides, pads } = spatial(context);
      const { fixed, has, refuse } = context;
      if (x.shape.length !== 4 || weight.shape.length !== 4 || x.shape[1] !== weight.shape[0])
        refuse("pixels [B, C, h, w] and weights [C, O, kh, kw]");
      if (has(2) && bias.shape.join() !== String(weight.shape[1])) refuse(`a bias [${weight.shape[1]}]`);
      const extra = context.ints("output_padding", [0, 0]);
      const size = (i: number) =>
        (fixed(x.shape[i + 2]) - 1) * strides[i] + fixed(weight.shape[i + 2]) - pads[i] - pads[i + 2] + extra[i];
      return { dtype: x.dtype, shape: [x.shape[0], weight.shape[1], size(0), size(1)] };
    },
    gradient(context) {
      const { inputs, grads, wants } = context;
      const [x, weight, bias] = inputs;
      const g = grads[0]!;
      return [
        wants(0) ? conv2d(g, weight, undefined, spatial(context)) : undefined,
        // The roles of what comes in and what goes out are changed.
        wants(1) ? weightGradient(g, x, weight.shape, context) : undefined,
        bias && wants(2) ? reduceSum(byChannel(g), [1]) : undefined,
      ];
    },
  },
  /** Blocks of pixels into channels, the block's rows outermost. Only inside the gradient of Conv. */
  SpaceToDepth: {
    infer({ inputs: [x], int, fixed }) {
      const s = int("blocksize");
      const [batch, channels, height, width] = x.shape;
      return { dtype: x.dtype, shape: [batch, fixed(channels) * s * s, fixed(height) / s, fixed(width) / s] };
    },
  },
});

/** Stride 1 is a convolution with the kernel turned around, which runs faster than ConvTranspose. */
function inputGradient(g: Tensor, context: GradContext): Tensor {
  const [x, weight] = context.inputs;
  const { strides, pads } = spatial(context);
  const [outs, ins, kh, kw] = weight.shape.map(context.fixed);
  const rest = [kh - 1 - pads[0], kw - 1 - pads[1], kh - 1 - pads[2], kw - 1 - pads[3]];
  if (strides.every((s) => s === 1) && rest.every((p) => p >= 0)) {
    const turned = kh * kw === 1 ? weight : reshape(reversed(reshape(weight, [outs * ins, kh * kw])), weight.shape);
    return conv2d(g, transpose(turned, [1, 0, 2, 3]), undefined, { strides, pads: rest });
  }
  const reached = [0, 1].map(
    (i) => (Number(g.shape[i + 2]) - 1) * strides[i] + Number(weight.shape[i + 2]) - pads[i] - pads[i + 2],
  );
  const extra = reached.map((n, i) => Number(x.shape[i + 2]) - n);
  return convTranspose2d(g, weight, undefined, { strides, pads, extra });
}

/** The columns of [m, n] from last to first. */
function reversed(x: Tensor): Tensor {
  const n = Number(x.shape[1]);
  const mirror = Float32Array.from({ length: n * n }, (_, i) => (Math.floor(i / n) + (i % n) === n - 1 ? 1 : 0));
  return gemm(x, x.graph.constant(f32([n, n], mirror)));
}

/** [B, O, h, w] -> [O, B*h*w]: sums over batch and space are then one product. */
const byChannel = (g: Tensor) => reshape(transpose(g, [1, 0, 2, 3]), [g.shape[1], -1]);

/** dW[o, c, i, j] = sum over batch and space of g [B, O, h, w] times x [B, C, H, W] shifted by (i, j). */
function weightGradient(x: Tensor, g: Tensor, shape: Shape, context: GradContext): Tensor {
  const { strides, pads } = spatial(context);
  const [outs, ins, kh, kw] = shape.map(context.fixed);
  const [h, w] = g.shape.slice(2).map(context.fixed);
  const [s, sw] = strides;
  if (s === 1 && sw === 1) return shiftedProducts(pad(x, top(pads), bottom(pads)), byChannel(g), [kh, kw], [h, w]);
  if (s !== sw) context.refuse("one stride for both axes, to be differentiated");
  // The pixels of each s x s block become channels: then the stride is 1 and the kernel s times smaller.
  const small = [kh, kw].map((k) => Math.ceil(k / s));
  const need = [h, w].map((n, i) => (n + small[i] - 1) * s);
  const missing = need.map((n, i) => n - context.fixed(x.shape[i + 2]) - pads[i]);
  let room = pad(x, top(pads), [0, 0, ...missing.map((n) => Math.max(0, n))]);
  for (const [i, n] of missing.entries()) if (n < 0) room = slice(room, i + 2, 0, need[i]);
  const blocks = apply("SpaceToDepth", [room], { blocksize: { int: s } })[0];
  const product = shiftedProducts(blocks, byChannel(g), small, [h, w]);
  const taps = reshape(product, [outs, s, s, ins, small[0], small[1]]);
  const kernel = reshape(transpose(taps, [0, 3, 4, 1, 5, 2]), [outs, ins, small[0] * s, small[1] * s]);
  return slice(slice(kernel, 2, 0, kh), 3, 0, kw);
}

const top = (pads: readonly number[]) => [0, 0, pads[0], pads[1]];
const bottom = (pads: readonly number[]) => [0, 0, pads[2], pads[3]];

/** Products of g [O, B*h*w] with every shift of x [B, C, ...] -> [O, C, kh, kw]. */
function shiftedProducts(x: Tensor, g: Tensor, [kh, kw]: readonly number[], [h, w]: readonly number[]): Tensor {
  const [outs, ins] = [g.shape[0], Number(x.shape[1])];
  const pixels = transpose(x, [1, 0, 2, 3]);
  if (kh * kw === 1) return reshape(gemm(g, reshape(pixels, [ins, -1]), { transB: true }), [outs, ins, 1, 1]);
  // Columns are shifted once and stacked; each row shift of the stack then is one product.
  const stack = concat(
    range(kw).map((j) => slice(pixels, 3, j, j + w)),
    0,
  );
  const byRow = range(kh).map((i) => {
    const shifted = reshape(slice(stack, 2, i, i + h), [kw * ins, -1]);
    return gemm(g, shifted, { transB: true });
  });
  return transpose(reshape(concat(byRow, 1), [outs, kh, kw, ins]), [0, 3, 1, 2]);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Pads are top, left, bottom, right. */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | undefined, { strides, pads }: Spatial): Tensor {
  return apply("Conv", bias ? [x, weight, bias] : [x, weight], {
    strides: { ints: strides },
    pads: { ints: pads },
    kernel_shape: { ints: weight.shape.slice(2).map(Number) },
  })[0];
}

/** Weights [C, O, kh, kw], pads top, left, bottom, right; `extra` rows and columns are added below and on the right. */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { strides, pads, extra = [0, 0] }: Spatial & { extra?: readonly number[] },
): Tensor {
  return apply("ConvTranspose", bias ? [x, weight, bias] : [x, weight], {
    strides: { ints: strides },
    pads: { ints: pads },
    output_padding: { ints: extra },
  })[0];
}
