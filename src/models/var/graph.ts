/**
 * The next-scale transformer as graph functions (VAR spec section 3). Names match the published state dict. What differs
 * between teaching and drawing - a mask, a cache, fewer rows - is an argument.
 */
import { f32, i64, type NdArray } from "../../base/index.ts";
import {
  add,
  concat,
  div,
  exp,
  type Graph,
  gather,
  gelu,
  gemm,
  layerNormalization,
  matmul,
  maximum,
  minimum,
  mul,
  reduceSum,
  reshape,
  silu,
  slice,
  softmax,
  sqrt,
  square,
  type Tensor,
  transpose,
} from "../../graph/index.ts";
import { tokenCount } from "../msvq/index.ts";
import { MAX_SCALE, scaleOfTokens, type VarConfig } from "./config.ts";

/** Keys and values of one layer, token-major [T, R, H, d], so that a prefix of the tokens is one piece of memory. */
export interface KeyValue {
  k: Tensor;
  v: Tensor;
}

/** A linear layer over the last axis, named by the scope; its bias is a parameter unless it is given. */
export type VarLinear = (x: Tensor, out: number, options?: { bias?: Tensor; init?: { normal: number } }) => Tensor;

const START_NORMAL = (width: number) => ({ normal: Math.sqrt(1 / 3 / width) });

/** Class ids int64 [B] -> [B, C]; id `classes` is any class. */
export function classEmbedding(config: VarConfig, labels: Tensor): Tensor {
  const { classes, width } = config;
  const { graph } = labels;
  return gather(
    graph.scope("class_emb", () => graph.param("weight", [classes + 1, width], START_NORMAL(width))),
    labels,
  );
}

/** Six for each block and two for the head, [B, 6 * depth + 2, C]: all that the class decides in the blocks. */
export function modulations(config: VarConfig, classes: Tensor, linear: VarLinear = plainLinear): Tensor {
  const { depth, width, sharedNorm } = config;
  const { graph } = classes;
  const active = silu(classes);
  const batch = classes.shape[0];
  const layer = (name: string, parts: number) =>
    graph.scope(name, () => {
      const flat = linear(active, parts * width, { init: { normal: 0.5 * START_NORMAL(width).normal } });
      return reshape(flat, [batch, parts, width]);
    });
  const shared = sharedNorm ? layer("shared_ada_lin.1", 6) : undefined;
  const blocks = Array.from({ length: depth }, (_, i) =>
    graph.scope(`blocks.${i}`, () => {
      if (!shared) return layer("ada_lin.1", 6);
      const own = graph.param("ada_gss", [1, 1, 6, width], START_NORMAL(width));
      return add(shared, reshape(own, [1, 6, width]));
    }),
  );
  return concat([...blocks, layer("head_nm.ada_lin.1", 2)], 1);
}

/** What is added to every token for its scale and place [L, C]. */
export function placeEmbedding(graph: Graph, config: VarConfig, positions: Tensor, scales: Tensor): Tensor {
  const { width, sides } = config;
  const length = tokenCount(config);
  const places = graph.param("pos_1LC", [1, length, width], START_NORMAL(width));
  const levels = graph.scope("lvl_embed", () => graph.param("weight", [sides.length, width], START_NORMAL(width)));
  return add(gather(reshape(places, [length, width]), positions), gather(levels, scales));
}

/** The first scale's tokens without their place [B, l0, C]: the class itself. */
export function startTokens(config: VarConfig, classes: Tensor): Tensor {
  const first = config.sides[0] ** 2;
  const start = classes.graph.param("pos_start", [1, first, config.width], START_NORMAL(config.width));
  return add(reshape(classes, [classes.shape[0], 1, config.width]), start);
}

/** Pooled maps [B, M, Z] -> tokens without their place [B, M, C]. */
export const wordEmbedding = (config: VarConfig, maps: Tensor): Tensor =>
  maps.graph.scope("word_embed", () => plainLinear(maps, config.width));

/** One Gemm whatever sizes are known: `linear` of nn would transpose weights where two are not. */
function plainLinear(x: Tensor, out: number, { bias, init }: Parameters<VarLinear>[2] = {}): Tensor {
  const { graph } = x;
  const width = Number(x.shape.at(-1));
  const weight = graph.param("weight", [out, width], init ?? START_NORMAL(width));
  const c = bias ?? graph.param("bias", [out], { constant: 0 });
  const rows = gemm(reshape(x, [-1, width]), weight, { transB: true, c });
  return reshape(rows, [...x.shape.slice(0, -1), out]);
}

/** Layer norm without weights, scaled by 1 + `scale` and moved by `shift`, both [R, 1, C]. */
function modulated(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor {
  const width = Number(x.shape.at(-1));
  const ones = x.graph.constant(f32([width], new Float32Array(width).fill(1)));
  return add(mul(layerNormalization(x, ones, undefined, epsilon), add(scale, 1)), shift);
}

/** Vectors of length one along the last axis. */
export const unitLength = (x: Tensor): Tensor => div(x, maximum(sqrt(reduceSum(square(x), [-1], true)), 1e-12));

export interface BodyInputs {
  /** Tokens with their places [R, M, C]. */
  x: Tensor;
  /** `modulations` of the rows [R, 6 * depth + 2, C]. */
  mods: Tensor;
  /** Added to attention scores [1, 1, M, P+M]; absent where all may see all. */
  bias?: Tensor;
  past?: readonly KeyValue[];
  /** Only so many of the last tokens are wanted: the last block computes nothing but keys and values for the others. */
  last?: number;
  linear?: VarLinear;
}

export interface BodyOutputs {
  /** [R, M or last, C]. */
  hidden: Tensor;
  /** Keys and values of the new tokens, for each block. */
  present: KeyValue[];
}

export function varBody(
  config: VarConfig,
  { x, mods, bias, past, last, linear = plainLinear }: BodyInputs,
): BodyOutputs {
  const { graph } = x;
  const present: KeyValue[] = [];
  let hidden = x;
  for (let i = 0; i < config.depth; i++)
    graph.scope(`blocks.${i}`, () => {
      const of = (part: number) => slice(mods, 1, 6 * i + part, 6 * i + part + 1);
      const [gateAttention, gateFfn, scaleAttention, scaleFfn, shiftAttention, shiftFfn] = [0, 1, 2, 3, 4, 5].map(of);
      const wanted = i === config.depth - 1 ? last : undefined;
      const normed = modulated(hidden, scaleAttention, shiftAttention, config.normEps);
      const { out, kv } = graph.scope("attn", () =>
        attention(config, normed, { linear, bias, past: past?.[i], last: wanted }),
      );
      present.push(kv);
      hidden = add(lastOf(hidden, wanted), mul(gateAttention, out));
      const fed = modulated(hidden, scaleFfn, shiftFfn, config.normEps);
      hidden = add(hidden, mul(gateFfn, feedForward(config, fed, linear)));
    });
  return { hidden, present };
}

const lastOf = (x: Tensor, count: number | undefined): Tensor => (count === undefined ? x : slice(x, 1, -count));

function attention(
  config: VarConfig,
  x: Tensor,
  { linear, bias, past, last }: { linear: VarLinear; bias?: Tensor; past?: KeyValue; last?: number },
): { out: Tensor; kv: KeyValue } {
  const { width, heads, qkNorm, depth } = config;
  const { graph } = x;
  const d = width / heads;
  const [rows, length] = x.shape;
  const qBias = graph.param("q_bias", [width], { constant: 0 });
  const vBias = graph.param("v_bias", [width], { constant: 0 });
  const biases = concat([qBias, graph.constant(f32([width])), vBias], 0);
  const qkv = graph.scope("mat_qkv", () => linear(x, 3 * width, { bias: biases }));
  const parts = reshape(qkv, [rows, length, 3, heads, d]);
  const part = (i: number) => reshape(slice(parts, 2, i, i + 1), [rows, length, heads, d]);
  let q = lastOf(part(0), last);
  let k = part(1);
  if (qkNorm) {
    const scale = graph.param("scale_mul_1H11", [1, heads, 1, 1], { constant: Math.log(4) });
    q = mul(unitLength(q), reshape(exp(minimum(scale, Math.log(MAX_SCALE))), [1, 1, heads, 1]));
    k = unitLength(k);
  } else q = mul(q, 0.25 / Math.sqrt(d));

  // Keys and values token-major, as they are cached.
  const kv = { k: transpose(k, [1, 0, 2, 3]), v: transpose(part(2), [1, 0, 2, 3]) };
  const all = (name: "k" | "v") => (past ? concat([past[name], kv[name]], 0) : kv[name]);
  const scores = matmul(transpose(q, [0, 2, 1, 3]), transpose(all("k"), [1, 2, 3, 0]));
  const seen = bias ? add(scores, last === undefined ? bias : slice(bias, 2, -last)) : scores;
  const mixed = transpose(matmul(softmax(seen), transpose(all("v"), [1, 2, 0, 3])), [0, 2, 1, 3]);
  const flat = reshape(mixed, [...q.shape.slice(0, 2), width]);
  const init = { normal: START_NORMAL(width).normal / Math.sqrt(2 * depth) };
  return { out: graph.scope("proj", () => linear(flat, width, { init })), kv };
}

function feedForward({ width, mlpSize, depth }: VarConfig, x: Tensor, linear: VarLinear): Tensor {
  const { graph } = x;
  return graph.scope("ffn", () => {
    const wide = gelu(graph.scope("fc1", () => linear(x, mlpSize, { init: START_NORMAL(width) })));
    const init = { normal: START_NORMAL(width).normal / Math.sqrt(2 * depth) };
    return graph.scope("fc2", () => linear(wide, width, { init }));
  });
}

/** Logits of hidden states [R, M, C] -> [R, M, V]. */
export function varHead(config: VarConfig, hidden: Tensor, mods: Tensor, linear: VarLinear = plainLinear): Tensor {
  const of = (part: number) => slice(mods, 1, 6 * config.depth + part, 6 * config.depth + part + 1);
  const normed = modulated(hidden, of(0), of(1), config.normEps);
  const init = { normal: 0.02 * START_NORMAL(config.width).normal };
  return hidden.graph.scope("head", () => linear(normed, config.codebookSize, { init }));
}

/** 0 where a token may look, -inf elsewhere [1, 1, L, L]: its own scale and all coarser ones. */
export function scaleMask(sides: readonly number[], length = tokenCount({ sides })): NdArray<"float32"> {
  const scales = scaleOfTokens({ sides }).slice(0, length);
  const mask = f32([1, 1, length, length]);
  for (const [i, own] of scales.entries())
    for (const [j, other] of scales.entries()) if (other > own) mask.data[i * length + j] = -Infinity;
  return mask;
}

export interface Teaching {
  /** Class ids int64 [B]. */
  labels: Tensor;
  /** Pooled maps [B, length - l0, Z] of the tokens behind the first scale; absent where only that is asked. */
  inputs?: Tensor;
  /** Tokens that are read; default: all. */
  length?: number;
  /** Only so many of the last tokens get logits; default: all. */
  last?: number;
}

/** Logits [B, length or last, V] under teacher forcing. */
export function teacherForced(
  config: VarConfig,
  { labels, inputs, length = tokenCount(config), last }: Teaching,
): Tensor {
  const { graph } = labels;
  const classes = classEmbedding(config, labels);
  const mods = modulations(config, classes);
  const scales = scaleOfTokens(config).slice(0, length);
  const ints = (values: readonly number[]) => graph.constant(i64([values.length], values));
  const places = placeEmbedding(graph, config, ints(scales.map((_, i) => i)), ints(scales));
  const start = startTokens(config, classes);
  const tokens = inputs ? concat([start, wordEmbedding(config, inputs)], 1) : start;
  const bias = graph.constant(scaleMask(config.sides, length));
  const x = add(tokens, reshape(places, [1, length, config.width]));
  return varHead(config, varBody(config, { x, mods, bias, last }).hidden, mods);
}
