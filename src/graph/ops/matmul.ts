/** Products of matrices, where nearly all the time goes. */
import { apply } from "../apply.ts";
import type { Tensor } from "../graph.ts";
import { broadcast, defineOps, type InferContext } from "../table.ts";
import { sumTo } from "./elementwise.ts";
import { expand, transposeLast } from "./shape.ts";

function matmulType({ inputs: [a, b], refuse }: InferContext) {
  const [m, k] = a.shape.slice(-2);
  const [k2, n] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || k !== k2 || a.dtype !== b.dtype)
    refuse("[..., m, k] and [..., k, n]");
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)) ?? refuse("batch axes that broadcast");
  return { dtype: a.dtype, shape: [...batch, m, n] };
}

export const matmulOps = defineOps({
  MatMul: {
    infer: matmulType,
    gradient: ({ inputs: [a, b], grads: [g], wants }) => [
      wants(0) ? sumTo(matmul(g!, transposeLast(b)), a.shape) : undefined,
      wants(1) ? sumTo(matmul(transposeLast(a), g!), b.shape) : undefined,
    ],
  },
  /** Y = A'B' + C on two axes. Transposes are flags, so the backward pass copies nothing. */
  Gemm: {
    infer({ inputs: [a, b, c], int, has, refuse }) {
      if (a.shape.length !== 2 || b.shape.length !== 2) refuse("two matrices");
      const [m, k] = int("transA", 0) ? [a.shape[1], a.shape[0]] : a.shape;
      const [k2, n] = int("transB", 0) ? [b.shape[1], b.shape[0]] : b.shape;
      if (k !== k2 || a.dtype !== b.dtype) refuse("matrices of one dtype whose inner sizes agree");
      if (has(2) && c.shape.join() !== String(n)) refuse(`a bias [${n}]`);
      return { dtype: a.dtype, shape: [m, n] };
    },
    gradient({ inputs: [a, b, c], grads: [g], int, wants }) {
      const [ta, tb] = [int("transA", 0) === 1, int("transB", 0) === 1];
      const da = () => (ta ? gemm(b, g!, { transA: tb, transB: true }) : gemm(g!, b, { transB: !tb }));
      const db = () => (tb ? gemm(g!, a, { transA: true, transB: ta }) : gemm(a, g!, { transA: !ta }));
      return [wants(0) ? da() : undefined, wants(1) ? db() : undefined, wants(2) ? sumTo(g!, c.shape) : undefined];
    },
  },
});

export const matmul = (a: Tensor, b: Tensor) => apply("MatMul", [a, b])[0];

/** a[m,k] b[k,n] + c[n], either matrix transposed by a flag. */
export function gemm(
  a: Tensor,
  b: Tensor,
  { c, transA, transB }: { c?: Tensor; transA?: boolean; transB?: boolean } = {},
) {
  const flags = { transA: { int: transA ? 1 : 0 }, transB: { int: transB ? 1 : 0 } };
  return apply("Gemm", c ? [a, b, c] : [a, b], flags)[0];
}

/** Sums over the rows of [m, n] -> [1, n]. A product with ones, as ReduceSum over rows gets slower with more threads. */
export const columnSums = (x: Tensor) => gemm(expand(x.graph.scalar(1), [1, x.shape[0]]), x);
