/**
 * Show-o as graph functions: Phi-1.5 with query/key layer norm, parallel residual and partial rotary embedding
 * (Show-o spec section 2). One definition serves training, full forwards and cached inference.
 */
import { f32, type NdArray } from "../../base/index.ts";
import {
  add,
  cast,
  cos,
  gather,
  gelu,
  greater,
  matmul,
  mul,
  reduceMax,
  reshape,
  sin,
  sub,
  type Tensor,
} from "../../graph/index.ts";
import { layerNorm, linearRows } from "../../nn/index.ts";
import type { ShowoConfig } from "./config.ts";
import { type Kernels, type KeyValue, plainKernels } from "./kernels.ts";
import { headColumns, vocabularyOf } from "./sequence.ts";

export interface BodyInputs {
  /** int64 [B, M]. */
  ids: Tensor;
  /** float32 [M]; only differences matter. */
  positions: Tensor;
  /** Added to attention scores, broadcast to [B, H, M, T]; T counts the past first. */
  bias: Tensor;
  /** Cached keys and values, one per layer. */
  past?: readonly KeyValue[];
  /** int64 [R], of a batch of 1: the only rows whose hidden states are asked for. The last layer computes no others. */
  rows?: Tensor;
  /** Default: those that can be differentiated. */
  kernels?: Kernels;
}

/** Runs all layers: hidden states [B, M, D] (or [1, R, D]) after the final norm, keys and values of the M new tokens. */
export function showoBody(
  config: ShowoConfig,
  { ids, positions, bias, past, rows, kernels = plainKernels }: BodyInputs,
): { hidden: Tensor; present: KeyValue[] } {
  const graph = ids.graph;
  const present: KeyValue[] = [];
  const hidden = graph.scope("showo.model", () => {
    let x = graph.scope("embed_tokens", () => kernels.embed(ids, vocabularyOf(config).size, config.hiddenSize));
    if (config.cellEmbeddings)
      x = add(
        x,
        graph.scope(CELL_EMBEDDINGS, () => cellEmbeddings(config, ids, positions)),
      );
    const rotations = rotary(config, positions);
    for (let l = 0; l < config.layers; l++)
      graph.scope(`layers.${l}`, () => {
        const wanted = l === config.layers - 1 ? rows : undefined;
        const { out, kv } = showoLayer(config, x, { rotations, bias, past: past?.[l], rows: wanted, kernels });
        x = out;
        present.push(kv);
      });
    return graph.scope("final_layernorm", () => layerNorm(x, config.normEps));
  });
  return { hidden, present };
}

/** Scope of the table [1 + imageTokens, D] of cell embeddings; its first row is for what belongs to no picture. */
export const CELL_EMBEDDINGS = "embed_cells";

/**
 * Embeddings [B, M, D] of where tokens lie in the picture of their row, which is in one pass as a whole: a cell is as far
 * behind the first one as its position says.
 */
function cellEmbeddings(config: ShowoConfig, ids: Tensor, positions: Tensor): Tensor {
  const { image } = vocabularyOf(config);
  const pictured = cast(greater(cast(ids, "float32"), image - 1), "float32");
  // The first cell is the one farthest from a place behind all of them.
  const behind = 1e6;
  const first = sub(behind, reduceMax(mul(pictured, sub(behind, positions)), [1], true));
  const cells = mul(pictured, add(sub(positions, first), 1));
  const table = ids.graph.param("weight", [config.imageTokens + 1, config.hiddenSize], { constant: 0 });
  return gather(table, cast(cells, "int64"));
}

/** The row of that table for each id of a row. */
export function cellRows(config: ShowoConfig, ids: readonly number[]): number[] {
  const { image } = vocabularyOf(config);
  const first = ids.findIndex((id) => id >= image);
  return ids.map((id, i) => (id >= image ? i - first + 1 : 0));
}

export interface LayerInputs {
  rotations: Rotations;
  bias: Tensor;
  past?: KeyValue;
  rows?: Tensor;
  kernels: Kernels;
}

/** One layer of x [B, M, D], in a scope of its own; of `rows` alone if they are given. */
export function showoLayer(config: ShowoConfig, x: Tensor, inputs: LayerInputs): { out: Tensor; kv: KeyValue } {
  const { graph } = x;
  const h = graph.scope("input_layernorm", () => layerNorm(x, config.normEps));
  const { rows } = inputs;
  const [asking, kept] = rows ? [rowsOf(h, rows), rowsOf(x, rows)] : [h, x];
  const { out, kv } = graph.scope("self_attn", () => attention(config, asking, h, inputs));
  const mlp = graph.scope("mlp", () => feedForward(config, asking, inputs.kernels));
  return { out: add(kept, add(out, mlp)), kv };
}

/** x [1, M, D] -> [1, R, D]. */
const rowsOf = (x: Tensor, rows: Tensor): Tensor =>
  reshape(gather(reshape(x, x.shape.slice(1)), rows), [1, ...rows.shape, ...x.shape.slice(2)]);

export interface Rotations {
  /** [M, d, d]; row vectors times these are rotated. */
  k: Tensor;
  /** With the scale of attention scores. */
  q: Tensor;
}

/**
 * Rotates dimension j < r/2 towards j + r/2 by position * theta^(-2j/r), the "half" layout; dimensions from r on stay.
 * As matrices, because one product costs less than half of slicing, multiplying and joining again.
 */
export function rotary({ hiddenSize, heads, rotaryFraction, ropeTheta }: ShowoConfig, positions: Tensor): Rotations {
  const width = hiddenSize / heads;
  const rotated = Math.floor(width * rotaryFraction);
  const half = rotated / 2;
  const frequencies = f32([1, 1, width]);
  const straight = f32([width, width]);
  const across = f32([width, width]);
  for (let j = 0; j < width; j++) straight.data[j * width + j] = 1;
  for (let j = 0; j < half; j++) {
    frequencies.data[j] = frequencies.data[half + j] = ropeTheta ** ((-2 * j) / rotated);
    across.data[j * width + half + j] = 1;
    across.data[(half + j) * width + j] = -1;
  }
  const { graph } = positions;
  const angles = mul(reshape(positions, [positions.shape[0], 1, 1]), graph.constant(frequencies));
  const k = add(mul(cos(angles), graph.constant(straight)), mul(sin(angles), graph.constant(across)));
  return { k, q: mul(k, width ** -0.5) };
}

/** What `asking` [B, R, D] finds in h [B, M, D] and in the past. */
function attention(
  config: ShowoConfig,
  asking: Tensor,
  h: Tensor,
  { rotations, bias, past, rows, kernels }: LayerInputs,
): { out: Tensor; kv: KeyValue } {
  const { hiddenSize, heads, normEps } = config;
  const graph = h.graph;
  const width = hiddenSize / heads;
  const joined = rows ? undefined : kernels.joined?.(h, hiddenSize);
  const project = (name: "q" | "k" | "v", x: Tensor) =>
    reshape(joined?.["qkv".indexOf(name)] ?? graph.scope(`${name}_proj`, () => kernels.linear(x, hiddenSize)), [
      ...x.shape.slice(0, 2),
      heads,
      width,
    ]);
  const normed = (name: "q" | "k", from: Tensor, rotation: Tensor) => {
    const x = project(name, from);
    return matmul(
      graph.scope(`${name}_layernorm`, () => layerNorm(x, normEps)),
      rotation,
    );
  };
  const q = normed("q", asking, rows ? gather(rotations.q, rows) : rotations.q);
  const kv = { k: normed("k", h, rotations.k), v: project("v", h) };
  const seen = rows
    ? reshape(rowsOf(reshape(bias, [1, ...bias.shape.slice(2)]), rows), [1, 1, ...rows.shape, bias.shape[3]])
    : bias;
  const flat = reshape(kernels.attend(q, kv, seen, past), [...asking.shape.slice(0, 2), hiddenSize]);
  return { out: graph.scope("dense", () => kernels.linear(flat, hiddenSize)), kv };
}

function feedForward({ hiddenSize, mlpSize }: ShowoConfig, h: Tensor, { linear }: Kernels): Tensor {
  const wide = gelu(h.graph.scope("fc1", () => linear(h, mlpSize)));
  return h.graph.scope("fc2", () => linear(wide, hiddenSize));
}

/** Logits of hidden states [..., D] over all columns of the vocabulary, or only those of text or of the codebook. */
export function showoHead(config: ShowoConfig, hidden: Tensor, columns: "all" | "text" | "image" = "all"): Tensor {
  const { start, end } = headColumns(config, columns);
  return hidden.graph.scope("showo.lm_head", () => linearRows(hidden, vocabularyOf(config).size, start, end));
}

/** Positions 0 ... length-1, from `start`. */
export const positionsFrom = (start: number, length: number): NdArray<"float32"> =>
  f32(
    [length],
    Float32Array.from({ length }, (_, i) => start + i),
  );
