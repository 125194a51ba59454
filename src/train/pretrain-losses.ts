/**
 * What Show-o is pretrained on (Show-o spec section 10): masked pictures, plain text and answers about pictures, as rows of
 * one batch in this order. Knows no data and no optimiser.
 */
import { f32, fail, i64, type NdArray, sizeOf } from "../base/index.ts";
import { cosine, roundHalfEven, type Schedule, UNDECIDED } from "../decode/index.ts";
import { add, concat, type Graph, mul, reshape, slice, type Tensor } from "../graph/index.ts";
import {
  additiveMask,
  IGNORE,
  positionsFrom,
  predictNextMask,
  rowLength,
  type ShowoConfig,
  showoBody,
  showoHead,
  type TrainingRow,
  understandingMask,
  vocabularyOf,
} from "../models/showo/index.ts";
import { crossEntropyRows, weightedMean } from "../nn/index.ts";

export interface MaskedPicture {
  /** Codebook ids, UNDECIDED where masked: the `codes` of textToImageRow. */
  ids: Int32Array;
  /** Clean ids where masked, IGNORE elsewhere. */
  labels: Int32Array;
  /** Share of cells that was aimed at. */
  ratio: number;
}

/**
 * Masks a share gamma(t) of a picture's cells, one at least. Which ones is up to `uniforms`, one per cell: those whose
 * entry in argsort(uniforms) is below the count, as published.
 */
export function maskForTraining(
  codes: ArrayLike<number>,
  t: number,
  uniforms: ArrayLike<number>,
  gamma: Schedule = cosine,
): MaskedPicture {
  const cells = codes.length;
  if (uniforms.length !== cells)
    fail("masking needs a uniform for each cell", { expected: `${cells}`, got: `${uniforms.length}` });
  const ratio = Math.fround(gamma(t));
  const count = Math.max(1, roundHalfEven(Math.fround(cells * ratio)));
  const order = Array.from(uniforms, (_, cell) => cell).sort((a, b) => uniforms[a] - uniforms[b]);
  return {
    ids: Int32Array.from(order, (place, cell) => (place < count ? UNDECIDED : codes[cell])),
    labels: Int32Array.from(order, (place, cell) => (place < count ? codes[cell] : IGNORE)),
    ratio,
  };
}

/** The three tasks in the order of their rows. */
export const PRETRAIN_TASKS = ["t2i", "lm", "mmu"] as const;
export type PretrainTask = (typeof PRETRAIN_TASKS)[number];

/** Weights of the published pretraining. */
export const PRETRAIN_WEIGHTS: Readonly<Record<PretrainTask, number>> = { t2i: 1, lm: 0.1, mmu: 1 };

/** Labels for a graph: int64 with some valid id where a label is IGNORE, and float32 weights, 0 there and 1 elsewhere. */
export function targetsOf(labels: readonly ArrayLike<number>[]): {
  labels: NdArray<"int64">;
  weights: NdArray<"float32">;
} {
  const shape = [labels.length, labels[0].length];
  const flat = labels.flatMap((row) => Array.from(row));
  return {
    labels: i64(
      shape,
      flat.map((id) => Math.max(id, 0)),
    ),
    weights: f32(
      shape,
      flat.map((id) => Number(id !== IGNORE)),
    ),
  };
}

/** Inputs of `pretrainLosses`: ids and labels of all rows, and who sees whom by the rule of each task. */
export function pretrainFeeds(
  config: ShowoConfig,
  rows: Readonly<Record<PretrainTask, readonly TrainingRow[]>>,
): { ids: NdArray<"int64">; bias: NdArray<"float32">; labels: NdArray<"int64">; weights: NdArray<"float32"> } {
  const all = PRETRAIN_TASKS.flatMap((task) => rows[task]);
  const length = rowLength(config);
  const odd = all.find(({ ids, labels }) => ids.length !== length || labels.length !== length);
  if (odd) fail("a training row of another length", { expected: `${length} ids`, got: `${odd.ids.length}` });
  const vocabulary = vocabularyOf(config);
  const masks = {
    t2i: (ids: number[][]) => predictNextMask(ids, vocabulary, { hidePads: true }),
    lm: (ids: number[][]) => predictNextMask(ids, vocabulary, { hidePads: false }),
    mmu: (ids: number[][]) => understandingMask(ids, vocabulary),
  };
  const bias = f32([all.length, 1, length, length]);
  let at = 0;
  for (const task of PRETRAIN_TASKS) {
    if (!rows[task].length) continue;
    const part = additiveMask(masks[task](rows[task].map(({ ids }) => ids)));
    bias.data.set(part.data, at);
    at += sizeOf(part.shape);
  }
  const ids = i64(
    [all.length, length],
    all.flatMap((row) => row.ids),
  );
  return { ids, bias, ...targetsOf(all.map((row) => row.labels)) };
}

export interface PretrainOptions {
  /** Rows of each task in a batch. */
  rows: Readonly<Record<PretrainTask, number>>;
  /** Weights of the tasks in the total. */
  taskWeights?: Readonly<Record<PretrainTask, number>>;
}

export interface PretrainLosses {
  total: Tensor;
  /** Mean cross entropy of each task that has rows. */
  tasks: Partial<Record<PretrainTask, Tensor>>;
}

/**
 * Declares the inputs of a batch (`pretrainFeeds`) and gives its losses over the whole vocabulary. Pictures: every
 * labelled column from soi on, in place. Texts: the next token. Hidden states that no label can ask for never reach the
 * head, which all tasks share in one product.
 */
export function pretrainLosses(
  graph: Graph,
  config: ShowoConfig,
  { rows, taskWeights = PRETRAIN_WEIGHTS }: PretrainOptions,
): PretrainLosses {
  const batch = PRETRAIN_TASKS.reduce((n, task) => n + rows[task], 0);
  const length = rowLength(config);
  const ids = graph.input("ids", "int64", [batch, length]);
  const bias = graph.input("bias", "float32", [batch, 1, length, length]);
  const labels = graph.input("labels", "int64", [batch, length]);
  const weights = graph.input("weights", "float32", [batch, length]);
  const positions = graph.constant(positionsFrom(0, length));
  const { hidden } = showoBody(config, { ids, positions, bias });

  // First column of hidden states that a task learns from, and how far ahead their labels are.
  const from = {
    t2i: { column: config.maxTextTokens + 1, ahead: 0 },
    lm: { column: 0, ahead: 1 },
    mmu: { column: config.imageTokens + 2, ahead: 1 },
  };
  let row = 0;
  let start = 0;
  const parts = PRETRAIN_TASKS.filter((task) => rows[task]).map((task) => {
    const { column, ahead } = from[task];
    const width = length - ahead - column;
    const cut = (x: Tensor, shift: number) =>
      slice(slice(x, 0, row, row + rows[task]), 1, column + shift, length - ahead + shift);
    const flat = (x: Tensor) => reshape(cut(x, ahead), [rows[task] * width]);
    const part = {
      task,
      start,
      end: start + rows[task] * width,
      hidden: reshape(cut(hidden, 0), [rows[task] * width, config.hiddenSize]),
      labels: flat(labels),
      weights: flat(weights),
    };
    row += rows[task];
    start = part.end;
    return part;
  });
  const joined = (of: "hidden" | "labels") =>
    concat(
      parts.map((part) => part[of]),
      0,
    );
  const losses = crossEntropyRows(showoHead(config, joined("hidden")), joined("labels"));
  const tasks: PretrainLosses["tasks"] = {};
  for (const { task, start, end, weights } of parts) tasks[task] = weightedMean(slice(losses, 0, start, end), weights);
  const total = parts.map(({ task }) => mul(tasks[task]!, taskWeights[task])).reduce(add);
  return { total, tasks };
}
