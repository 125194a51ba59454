/** Normalisation over an axis: softmax and layer norm. */
import { apply } from "../apply.ts";
import type { Tensor } from "../graph.ts";
import { axisOf, defineOps, type InferContext } from "../table.ts";
import { div, exp, mul, sub, sumTo } from "./elementwise.ts";
import { gemm } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";
import { reshape } from "./shape.ts";

const sameType = ({ inputs: [x], int, refuse }: InferContext) => {
  axisOf(int("axis"), x.shape.length, refuse);
  return { dtype: x.dtype, shape: x.shape };
};

export const normOps = defineOps({
  Softmax: {
    infer: sameType,
    gradient: ({ outputs: [y], grads: [g], int }) => [mul(y, sub(g!, reduceSum(mul(g!, y), [int("axis")], true)))],
  },
  LogSoftmax: {
    infer: sameType,
    gradient: ({ outputs: [y], grads: [g], int }) => [sub(g!, mul(exp(y), reduceSum(g!, [int("axis")], true)))],
  },
  /** Over the last axis. Mean and inverse deviation come out too, because the gradient needs them. */
  LayerNormalization: {
    infer({ inputs: [x, weight, bias], has, refuse }) {
      const width = String(x.shape.at(-1));
      if (weight.shape.join() !== width || (has(2) && bias.shape.join() !== width))
        refuse(`weight and bias [${width}]`);
      const kept = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
      return [{ dtype: x.dtype, shape: x.shape }, kept, kept];
    },
    optionalOutputs: 1,
    gradient({ inputs: [x, weight, bias], outputs: [, mean, inverse], grads: [g], wants, fixed }) {
      const width = fixed(weight.shape[0]);
      const normal = mul(sub(x, mean), inverse);
      const tilted = mul(g!, normal);
      // Means over the width of what the weight has scaled: as a product they write no scaled copy.
      const share = reshape(div(weight, width), [width, 1]);
      const weightedMean = (t: Tensor) => reshape(gemm(reshape(t, [-1, width]), share), mean.shape);
      const dx = () => {
        const centred = sub(mul(g!, weight), weightedMean(g!));
        return mul(inverse, sub(centred, mul(normal, weightedMean(tilted))));
      };
      return [
        wants(0) ? dx() : undefined,
        wants(1) ? sumTo(tilted, weight.shape) : undefined,
        bias && wants(2) ? sumTo(g!, bias.shape) : undefined,
      ];
    },
  },
});

export const softmax = (x: Tensor, axis = -1) => apply("Softmax", [x], { axis: { int: axis } })[0];
export const logSoftmax = (x: Tensor, axis = -1) => apply("LogSoftmax", [x], { axis: { int: axis } })[0];

/** Layer norm over the last axis; population variance. */
export const layerNormalization = (x: Tensor, weight: Tensor, bias: Tensor | undefined, epsilon: number) =>
  apply("LayerNormalization", bias ? [x, weight, bias] : [x, weight], {
    axis: { int: -1 },
    epsilon: { float: epsilon },
  })[0];
