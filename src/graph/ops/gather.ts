/** Reads and writes by index: embeddings, labels. */
import { nd } from "../../base/index.ts";
import { apply } from "../apply.ts";
import type { Shape, Tensor } from "../graph.ts";
import { axisOf, defineOps } from "../table.ts";
import { expand, filled, reshape } from "./shape.ts";

const scatterAdd = (data: Tensor, indices: Tensor, updates: Tensor, axis: number) =>
  apply("ScatterElements", [data, indices, updates], { axis: { int: axis }, reduction: { string: "add" } })[0];

/** Zeros that cost no constant in the file: one scalar, expanded. */
const zeros = (like: Tensor, shape: Shape) => expand(filled(like, [], 0), shape);

export const indexOps = defineOps({
  /** Rows of `data` along axis 0. */
  Gather: {
    infer({ inputs: [data, indices], int, refuse }) {
      if (int("axis", 0) !== 0 || !indices.dtype.startsWith("int")) refuse("axis 0 and integer indices");
      return { dtype: data.dtype, shape: [...indices.shape, ...data.shape.slice(1)] };
    },
    // Not ScatterND: with several threads ONNX Runtime loses sums of rows that were read more than once.
    gradient({ inputs: [data, indices], grads: [g] }) {
      const row = data.shape.slice(1);
      const updates = reshape(g!, [-1, ...row]);
      const rows = expand(reshape(indices, [-1, ...row.map(() => 1)]), updates.shape);
      return [scatterAdd(zeros(g!, data.shape), rows, updates, 0)];
    },
  },
  /** One value per position along an axis: data[i][index[i][j]]. */
  GatherElements: {
    infer({ inputs: [data, indices], int, refuse }) {
      const axis = axisOf(int("axis"), data.shape.length, refuse);
      if (indices.shape.length !== data.shape.length || indices.shape.some((d, i) => i !== axis && d !== data.shape[i]))
        refuse(`indices shaped like the data but for axis ${axis}`);
      return { dtype: data.dtype, shape: indices.shape };
    },
    gradient({ inputs: [data, indices], grads: [g], int }) {
      return [scatterAdd(zeros(g!, data.shape), indices, g!, int("axis"))];
    },
  },
  ScatterElements: {
    infer: ({ inputs: [data] }) => ({ dtype: data.dtype, shape: data.shape }),
  },
});

/** Embedding rows: data[v, ...], indices[...] int64 -> [..., ...]. */
export const gather = (data: Tensor, indices: Tensor) => apply("Gather", [data, indices], { axis: { int: 0 } })[0];

export const gatherElements = (data: Tensor, indices: Tensor, axis = -1) =>
  apply("GatherElements", [data, indices], { axis: { int: axis } })[0];

/** 0 ... n-1 as int64, a constant. */
export const iota = (like: Tensor, n: number) =>
  like.graph.constant(
    nd(
      "int64",
      [n],
      BigInt64Array.from({ length: n }, (_, i) => BigInt(i)),
    ),
  );
