/**
 * The parts of a Show-o layer that have several equal forms: plain ones that can be differentiated, and the fastest ones
 * for inference with weights of few bits and a cache that grows in place.
 */
import {
  add,
  concat,
  firstOf,
  fusedMatmul,
  matmul,
  mul,
  reshape,
  softmax,
  split,
  type Tensor,
  transpose,
} from "../../graph/index.ts";
import { embedding, joinsWell, linear, type Storage, storedEmbedding, storedLinear } from "../../nn/index.ts";

/** Keys (normed and rotated) and values of one layer, token-major [B, T, H, d]. */
export interface KeyValue {
  k: Tensor;
  v: Tensor;
}

export interface Kernels {
  embed(ids: Tensor, size: number, width: number): Tensor;
  /** Over the last axis, named by the scope. */
  linear(x: Tensor, out: number): Tensor;
  /** Queries, keys and values [..., out] of x where one product gives all three; without it each is made by `linear`. */
  joined?(x: Tensor, out: number): Tensor[] | undefined;
  /** q (scaled) and fresh keys and values [B, M, H, d] -> [B, M, H, d]; `bias` is added to scores [B, H, M, T]. */
  attend(q: Tensor, fresh: KeyValue, bias: Tensor, past?: KeyValue): Tensor;
}

/** Past and fresh tokens are joined; every operator has a gradient. */
export const plainKernels: Kernels = {
  embed: embedding,
  linear: (x, out) => linear(x, out),
  attend(q, fresh, bias, past) {
    const k = past ? concat([past.k, fresh.k], 1) : fresh.k;
    const v = past ? concat([past.v, fresh.v], 1) : fresh.v;
    const scores = add(matmul(transpose(q, [0, 2, 1, 3]), transpose(k, [0, 2, 3, 1])), bias);
    return transpose(matmul(softmax(scores), transpose(v, [0, 2, 1, 3])), [0, 2, 1, 3]);
  },
};

/** Scope of the product that gives queries, keys and values, beside those of which it is made. */
export const JOINED = { name: "qkv_proj", of: ["q_proj", "k_proj", "v_proj"] } as const;

/** Linear layers of weights in few bits. `storage` is asked by the scope's name. */
export const storedKernels = (storage: (layer: string) => Storage): Pick<Kernels, "linear" | "joined"> => ({
  linear: (x, out) => storedLinear(x, out, storage(x.graph.layer)),
  joined(x, out) {
    const { graph } = x;
    const { name, of } = JOINED;
    if (!joinsWell(graph.scope(name, () => storage(graph.layer)))) return undefined;
    const all = graph.scope(name, () => storedLinear(x, of.length * out, storage(graph.layer)));
    return split(all, -1, of.length);
  },
});

/**
 * For one row. `past` [T, H, d] is the cache with room for the fresh tokens at its end, which are outputs written to that
 * very memory: nothing is copied, and keys are read as they lie. `bias` [1, M, T]. `storage` is asked by the scope's name.
 */
export const packedKernels = (
  storage: (layer: string) => Storage,
  embeddings: "fp32" | "fp16",
): Kernels & { attend(q: Tensor, fresh: KeyValue, bias: Tensor, past?: KeyValue): Tensor } => ({
  embed: (ids, size, width) => storedEmbedding(ids, size, width, embeddings),
  ...storedKernels(storage),
  attend(q, fresh, bias, past) {
    const [, m, heads, width] = q.shape;
    // ONNX Runtime does not know that the cache holds what this run computes: the query waits for it.
    const written = add(firstOf(fresh.k), firstOf(fresh.v));
    const waiting = reshape(add(q, mul(written, 0)), [m, heads, width]);
    const scores = add(fusedMatmul(waiting, past!.k, { transBatchA: true, transBatchB: true, transB: true }), bias);
    const mixed = fusedMatmul(softmax(scores), past!.v, { transBatchB: true });
    return reshape(transpose(mixed, [1, 0, 2]), [1, m, heads, width]);
  },
});
