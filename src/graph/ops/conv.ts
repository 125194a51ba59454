/** Two-dimensional convolution on [B, C, H, W]. */
import { apply } from "../apply.ts";
import type { Tensor } from "../graph.ts";
import { defineOps, type GradContext, type InferContext } from "../table.ts";
import { matmul } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";
import { concat, pad, reshape, slice, transpose, transposeLast } from "./shape.ts";

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
        wants(0) ? convInputGradient(g, context) : undefined,
        wants(1) ? convWeightGradient(g, context) : undefined,
        inputs[2] && wants(2) ? reduceSum(g, [0, 2, 3]) : undefined,
      ];
    },
  },
  /** Only as the gradient of Conv: [B, C, h, w] and [C, O, kh, kw] -> [B, O, H, W]. */
  ConvTranspose: {
    infer(context) {
      const [x, weight] = context.inputs;
      const { strides, pads } = spatial(context);
      const { fixed } = context;
      const extra = context.ints("output_padding", [0, 0]);
      const size = (i: number) =>
        (fixed(x.shape[i + 2]) - 1) * strides[i] + fixed(weight.shape[i + 2]) - pads[i] - pads[i + 2] + extra[i];
      return { dtype: x.dtype, shape: [x.shape[0], weight.shape[1], size(0), size(1)] };
    },
  },
});

function convInputGradient(g: Tensor, context: GradContext): Tensor {
  const [x, weight] = context.inputs;
  const { strides, pads } = spatial(context);
  const reached = [0, 1].map(
    (i) => (Number(g.shape[i + 2]) - 1) * strides[i] + Number(weight.shape[i + 2]) - pads[i] - pads[i + 2],
  );
  const extra = reached.map((n, i) => Number(x.shape[i + 2]) - n);
  return apply("ConvTranspose", [g, weight], {
    strides: { ints: strides },
    pads: { ints: pads },
    output_padding: { ints: extra },
  })[0];
}

/** dW[o, c, i, j] = sum over batch and space of g times x shifted by (i, j): a batched product with the unfolded input. */
function convWeightGradient(g: Tensor, context: GradContext): Tensor {
  const [x, weight] = context.inputs;
  const { strides, pads } = spatial(context);
  const [outs, ins, kh, kw] = weight.shape.map(context.fixed);
  const batch = g.shape[0];
  const [h, w] = g.shape.slice(2).map(context.fixed);
  const padded = pad(x, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]]);
  // Columns are shifted once and stacked; each row shift of the stack then is one product.
  const stack = concat(
    range(kw).map((j) => strided(padded, 3, j, w, strides[1])),
    1,
  );
  const byRow = range(kh).map((i) => {
    const shifted = reshape(strided(stack, 2, i, h, strides[0]), [batch, kw * ins, h * w]);
    return reduceSum(matmul(reshape(g, [batch, outs, h * w]), transposeLast(shifted)), [0]);
  });
  const product = concat(byRow, 1);
  return transpose(reshape(product, [outs, kh, kw, ins]), [0, 3, 1, 2]);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** `count` values of an axis from `start` on, `stride` apart. */
function strided(x: Tensor, axis: number, start: number, count: number, stride: number): Tensor {
  if (stride === 1) return slice(x, axis, start, start + count);
  // Enough room for whole strides, then keep the first of each.
  const need = start + count * stride;
  const missing = Math.max(0, need - Number(x.shape[axis]));
  const room = missing
    ? pad(
        x,
        x.shape.map(() => 0),
        x.shape.map((_, i) => (i === axis ? missing : 0)),
      )
    : x;
  const cut = slice(room, axis, start, need);
  const shape = [...cut.shape];
  const grouped = reshape(cut, [...shape.slice(0, axis), count, stride, ...shape.slice(axis + 1)]);
  const kept = slice(grouped, axis + 1, 0, 1);
  return reshape(kept, [...shape.slice(0, axis), count, ...shape.slice(axis + 1)]);
}

/** Pads are top, left, bottom, right. */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | undefined, { strides, pads }: Spatial): Tensor {
  return apply("Conv", bias ? [x, weight, bias] : [x, weight], {
    strides: { ints: strides },
    pads: { ints: pads },
    kernel_shape: { ints: weight.shape.slice(2).map(Number) },
  })[0];
}
