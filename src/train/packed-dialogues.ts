/**
 * Several dialogues about one picture in one row: the picture is computed once, each dialogue sees it and itself alone and
 * stands at the positions that a single one has. The loss is that of separate rows, for a fraction of the work.
 */
import { f32, i64, type NdArray } from "../base/index.ts";
import { type Graph, reshape, slice, type Tensor } from "../graph/index.ts";
import { imageToTextRow, picturePrefix, type ShowoConfig, showoBody, showoHead } from "../models/showo/index.ts";
import { crossEntropy } from "../nn/index.ts";
import { targetsOf } from "./pretrain-losses.ts";
import type { DialogueIds } from "./texts.ts";

export interface PackedShape {
  /** Pictures in a batch. */
  rows: number;
  /** Dialogues about each. */
  turns: number;
}

/** mmu, soi, picture, eoi. */
export const prefixLength = ({ imageTokens }: ShowoConfig): number => imageTokens + 3;

/** Declares the inputs of `packedFeeds` and gives the mean cross entropy of the answers. */
export function packedDialoguesLoss(graph: Graph, config: ShowoConfig, { rows, turns }: PackedShape): Tensor {
  const prefix = prefixLength(config);
  const packed = { prefix, width: config.maxTextTokens, texts: turns };
  const length = prefix + turns * config.maxTextTokens;
  const ids = graph.input("packed/ids", "int64", [rows, length]);
  const labels = graph.input("packed/labels", "int64", [rows, length]);
  const weights = graph.input("packed/weights", "float32", [rows, length]);
  const { hidden } = showoBody(config, {
    ids,
    positions: graph.constant(packedPositions(packed)),
    bias: graph.constant(packedBias(packed)),
  });
  // The token after the prefix is given, so answers are learnt from the first text slot on.
  const texts = length - 1 - prefix;
  const flat = (x: Tensor) => reshape(slice(x, 1, prefix + 1, length), [rows * texts]);
  const states = reshape(slice(hidden, 1, prefix, length - 1), [rows * texts, config.hiddenSize]);
  return crossEntropy(showoHead(config, states), flat(labels), flat(weights));
}

/**
 * Ids and targets of `rows` pictures with as many dialogues each. Every token of an answer counts alike, or with
 * `answersAlike` every answer: otherwise a caption of ten words outweighs ten times a "yes".
 */
export function packedFeeds(
  config: ShowoConfig,
  pictures: readonly { codes: ArrayLike<number>; dialogues: readonly DialogueIds[] }[],
  { answersAlike = false } = {},
): Record<string, NdArray> {
  const rows = pictures.map(({ codes, dialogues }) => {
    const prefix = picturePrefix(config, codes);
    const turns = dialogues.map(({ text, questionLength, seen }) => {
      const row = imageToTextRow(config, codes, text, questionLength);
      return seen ? { ...row, ids: imageToTextRow(config, codes, seen, questionLength).ids } : row;
    });
    const join = (of: "ids" | "labels") => turns.flatMap((turn) => turn[of].slice(prefix.length));
    return {
      ids: [...prefix, ...join("ids")],
      labels: [...turns[0].labels.slice(0, prefix.length), ...join("labels")],
    };
  });
  const { labels, weights } = targetsOf(rows.map((row) => row.labels));
  if (answersAlike) shareByAnswer(weights.data, config, rows[0].ids.length);
  const ids = i64(
    [rows.length, rows[0].ids.length],
    rows.flatMap((row) => row.ids),
  );
  return { "packed/ids": ids, "packed/labels": labels, "packed/weights": weights };
}

/** The weights of each dialogue, which are 0 or 1, then sum to 1. */
function shareByAnswer(weights: Float32Array, config: ShowoConfig, length: number): void {
  for (let row = 0; row < weights.length; row += length)
    for (let at = row + prefixLength(config); at < row + length; at += config.maxTextTokens) {
      const turn = weights.subarray(at, at + config.maxTextTokens);
      const tokens = turn.reduce((sum, w) => sum + w, 0);
      for (const i of turn.keys()) turn[i] /= Math.max(tokens, 1);
    }
}

/** Several texts behind one picture. */
export interface PackedTexts {
  /** Tokens of the picture with its control tokens. */
  prefix: number;
  /** Tokens of each text. */
  width: number;
  texts: number;
}

/** float32 [prefix + texts * width]: every text stands where a single one does. */
export const packedPositions = ({ prefix, width, texts }: PackedTexts): NdArray<"float32"> =>
  f32(
    [prefix + texts * width],
    Float32Array.from({ length: prefix + texts * width }, (_, i) => (i < prefix ? i : prefix + ((i - prefix) % width))),
  );

/** Added to scores, [1, 1, L, L]: the picture sees itself; a text sees the picture and what it has said itself. */
export function packedBias({ prefix, width, texts }: PackedTexts): NdArray<"float32"> {
  const length = prefix + texts * width;
  const bias = f32([1, 1, length, length]);
  bias.data.fill(-Infinity);
  for (let i = 0; i < length; i++) {
    bias.data.fill(0, i * length, i * length + prefix);
    const start = i - ((i - prefix) % width);
    if (i >= prefix) bias.data.fill(0, i * length + start, i * length + i + 1);
  }
  return bias;
}
