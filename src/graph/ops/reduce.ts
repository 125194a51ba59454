/** Many values to fewer: sums, means, extremes, rankings. */
import { i64 } from "../../base/index.ts";
import { apply } from "../apply.ts";
import type { Tensor } from "../graph.ts";
import { axisOf, defineOps, type InferContext, type OpDef } from "../table.ts";
import { cast, div, equal, mul } from "./elementwise.ts";
import { expand, reshape } from "./shape.ts";

function reducedType({ inputs: [x], constant, int, refuse }: InferContext) {
  const axes = constant(1).map((a) => axisOf(a, x.shape.length, refuse));
  const keep = int("keepdims") === 1;
  return { dtype: x.dtype, shape: x.shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d])) };
}

/** Shape of the reduced tensor with its reduced axes kept as 1. */
const keptShape = (x: Tensor, axes: readonly number[]) =>
  x.shape.map((d, i) => (axes.some((a) => (a < 0 ? a + x.shape.length : a) === i) ? 1 : d));

const reducer = (rule: (g: Tensor, x: Tensor, y: Tensor, count: () => number) => Tensor): OpDef => ({
  infer: reducedType,
  gradient({ inputs: [x], outputs: [y], grads: [g], constant, fixed }) {
    const kept = keptShape(x, constant(1));
    const count = () => x.shape.reduce<number>((n, d, i) => (kept[i] === 1 ? n * fixed(d) : n), 1);
    return [rule(reshape(g!, kept), x, reshape(y, kept), count)];
  },
});

export const reduceOps = defineOps({
  ReduceSum: reducer((g, x) => expand(g, x.shape)),
  ReduceMean: reducer((g, x, _y, count) => expand(div(g, count()), x.shape)),
  // Equal extremes each get the whole gradient, as a subgradient may.
  ReduceMax: reducer((g, x, y) => mul(g, cast(equal(x, y), "float32"))),
  ArgMax: {
    infer({ inputs: [x], int, refuse }) {
      const axis = axisOf(int("axis"), x.shape.length, refuse);
      return { dtype: "int64", shape: x.shape.filter((_, i) => i !== axis) };
    },
    flat: true,
  },
  TopK: {
    infer({ inputs: [x], constant, int, refuse }) {
      const axis = axisOf(int("axis"), x.shape.length, refuse);
      const [k] = constant(1);
      const size = x.shape[axis];
      if (k < 1 || (typeof size === "number" && k > size)) refuse(`k from 1 to ${size}, not ${k}`);
      const shape = x.shape.map((d, i) => (i === axis ? k : d));
      return [
        { dtype: x.dtype, shape },
        { dtype: "int64", shape },
      ];
    },
    flat: true,
  },
});

const reduce = (op: string, x: Tensor, axes: readonly number[], keep: boolean) =>
  apply(op, [x, x.graph.constant(i64([axes.length], axes))], { keepdims: { int: keep ? 1 : 0 } })[0];

export const reduceSum = (x: Tensor, axes: readonly number[], keep = false) => reduce("ReduceSum", x, axes, keep);
export const reduceMean = (x: Tensor, axes: readonly number[], keep = false) => reduce("ReduceMean", x, axes, keep);
export const reduceMax = (x: Tensor, axes: readonly number[], keep = false) => reduce("ReduceMax", x, axes, keep);
export const argMax = (x: Tensor, axis = -1) => apply("ArgMax", [x], { axis: { int: axis }, keepdims: { int: 0 } })[0];

/** The k largest along an axis, sorted descending, and their indices. */
export function topK(x: Tensor, k: number, axis = -1): [values: Tensor, indices: Tensor] {
  const [values, indices] = apply("TopK", [x, x.graph.constant(i64([1], [k]))], { axis: { int: axis } });
  return [values, indices];
}

/** Mean of all values, a scalar. */
export const mean = (x: Tensor) =>
  reduceMean(
    x,
    x.shape.map((_, i) => i),
  );
/** Sum of all values, a scalar. */
export const sum = (x: Tensor) =>
  reduceSum(
    x,
    x.shape.map((_, i) => i),
  );
