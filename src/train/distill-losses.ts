/**
 * Losses of consistency distillation as graph functions (Show-o spec section 10): a student's own later predictions and
 * its teacher's, for pictures and texts, beside plain text. Knows neither trajectories nor optimiser.
 */
import { f32, fail, i64, type NdArray } from "../base/index.ts";
import { type Canvas, UNDECIDED } from "../decode/index.ts";
import {
  add,
  concat,
  div,
  exp,
  type Graph,
  log,
  matmul,
  maximum,
  mul,
  neg,
  reduceSum,
  reshape,
  slice,
  softmax,
  stopGradient,
  sum,
  type Tensor,
  transpose,
} from "../graph/index.ts";
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
  textToImageIds,
  vocabularyOf,
} from "../models/showo/index.ts";
import { crossEntropyRows, softCrossEntropyRows, weightedMean } from "../nn/index.ts";
import { comparedPositions, type ImagePair, type TextPair, textLabels } from "./distill-trajectory.ts";
import { type PackedTexts, packedBias, packedPositions, prefixLength } from "./packed-dialogues.ts";
import { pretrainFeeds, pretrainLosses, targetsOf } from "./pretrain-losses.ts";
import type { ImagePoints } from "./trajectories.ts";

export interface DistillWeights {
  readonly imageConsistency: number;
  /** Default 1. */
  readonly imageRegularisation?: number;
  /** Of the autoregressive loss beside the text consistency. */
  readonly textRegularisation: number;
  readonly text: number;
  readonly lm: number;
}

interface TextSettings {
  /** Length that texts about pictures are padded to. */
  readonly textLength: number;
  /** First ids of such a text that are not learnt as they stand; the published code takes the picture's N + 4. */
  readonly textIgnored: number;
  /** Points of each text in a batch (default 1). They share the picture, which costs most of a row. */
  readonly textPoints?: number;
  /** Points jump to ends of their own (default), or all of them to the last point, as they do in one segment. */
  readonly textEnds?: "own" | "last";
}

export interface DistillSettings extends TextSettings {
  /** Pictures, texts about pictures and plain texts in one batch, at least one of each. */
  readonly rows: { readonly image: number; readonly text: number; readonly lm: number };
  /**
   * States of each trajectory at which the student labels itself within the step (`ImagePoints`); without them its labels
   * are given (`ImagePair`).
   */
  readonly targets?: number;
  readonly weights: DistillWeights;
}

/** Scalars. `image`, `text` and `total` are weighted sums of the others. */
export interface DistillLosses {
  readonly imageConsistency: Tensor;
  readonly imageRegularisation: Tensor;
  readonly image: Tensor;
  readonly textConsistency: Tensor;
  readonly textRegularisation: Tensor;
  readonly text: Tensor;
  readonly lm: Tensor;
  readonly total: Tensor;
  /**
   * How many different tokens the student predicts, as a share of how many its labels hold: the perplexity of its mean
   * prediction over that of the mean label. A student that says the same everywhere comes near 0.
   */
  readonly imageDiversity: Tensor;
  readonly textDiversity: Tensor;
}

/** Declares the inputs of a batch (`distillFeeds`) and gives its losses. */
export function distillLosses(graph: Graph, config: ShowoConfig, settings: DistillSettings): DistillLosses {
  const { rows, weights } = settings;
  const picture = imageLosses(graph, config, settings);
  const answer = textLosses(graph, config, settings);
  const lm = pretrainLosses(graph, config, { rows: { t2i: 0, lm: rows.lm, mmu: 0 } }).tasks.lm!;
  const { imageRegularisation: regularised = 1 } = weights;
  const image = add(mul(picture.consistency, weights.imageConsistency), mul(picture.regularisation, regularised));
  const text = add(answer.consistency, mul(answer.regularisation, weights.textRegularisation));
  return {
    imageConsistency: picture.consistency,
    imageRegularisation: picture.regularisation,
    image,
    textConsistency: answer.consistency,
    textRegularisation: answer.regularisation,
    text,
    lm,
    total: add(image, add(mul(lm, weights.lm), mul(text, weights.text))),
    imageDiversity: picture.diversity,
    textDiversity: answer.diversity,
  };
}

/** A loss towards where the student itself would go, one towards where the teacher went, and what became of the student. */
interface Terms {
  consistency: Tensor;
  regularisation: Tensor;
  diversity: Tensor;
}

/** Soft labels over the codebook: the student's own further on in the segment, the teacher's where x_k is open. */
function imageLosses(graph: Graph, config: ShowoConfig, { rows: { image: rows }, targets }: DistillSettings): Terms {
  const { imageTokens: cells, codebookSize, maxTextTokens } = config;
  const length = rowLength(config);
  const labels = (of: string) => graph.input(`image/${of}`, "float32", [rows * cells, codebookSize]);
  const perCell = (of: string) => graph.input(`image/${of}`, "float32", [rows * cells]);
  const bias = graph.input("image/bias", "float32", [rows, 1, length, length]);
  const logitsOf = (ids: Tensor, count: number) => {
    const biases = count === 1 ? bias : concat(new Array<Tensor>(count).fill(bias), 0);
    const { hidden } = showoBody(config, { ids, positions: graph.constant(positionsFrom(0, length)), bias: biases });
    const picture = slice(hidden, 1, maxTextTokens + 2, maxTextTokens + 2 + cells);
    return showoHead(config, reshape(picture, [count * rows * cells, config.hiddenSize]), "image");
  };

  const logits = logitsOf(graph.input("image/ids", "int64", [rows, length]), 1);
  const own = targets === undefined ? { labels: labels("student"), weights: perCell("openAtEnd") } : ownLabels(targets);
  const teacher = labels("teacher");
  const open = perCell("open");
  return {
    consistency: weightedMean(softCrossEntropyRows(logits, own.labels), own.weights),
    regularisation: weightedMean(softCrossEntropyRows(logits, teacher), open),
    diversity: div(meanPerplexity(softmax(logits), open), meanPerplexity(teacher, open)),
  };

  /** What the student says, without gradient, at each cell's own one of `count` later states. */
  function ownLabels(count: number): { labels: Tensor; weights: Tensor } {
    const ids = graph.input("image/targets", "int64", [count * rows, length]);
    const takes = reshape(graph.input("image/takes", "float32", [count * rows * cells]), [count, rows * cells, 1]);
    const said = reshape(softmax(stopGradient(logitsOf(ids, count))), [count, rows * cells, codebookSize]);
    const weights = reshape(reduceSum(takes, [0]), [rows * cells]);
    return { labels: reduceSum(mul(said, takes), [0]), weights };
  }
}

/** Perplexity of the weighted mean of distributions [N, C]; weights [N]. */
function meanPerplexity(distributions: Tensor, weights: Tensor): Tensor {
  const count = weights.shape[0];
  const mean = div(matmul(reshape(weights, [1, count]), distributions), maximum(sum(weights), 1e-6));
  return exp(neg(sum(mul(mean, log(maximum(mean, 1e-9))))));
}

/** Where texts about one picture stand behind it: points of a trajectory, the points they jump to, the last one. */
function packedTexts(config: ShowoConfig, { textLength, textPoints = 1, textEnds = "own" }: TextSettings): PackedTexts {
  const prefix = prefixLength(config);
  return { prefix, width: textLength - prefix, texts: (textEnds === "own" ? 2 : 1) * textPoints + 1 };
}

/**
 * The student's predictions at points of a text against its own at the ends of their segments, which get no gradient, and
 * the next token of the final text. Over the whole vocabulary. All of them share the picture; what pads a text stands
 * behind it, where a causal model does not look.
 */
function textLosses(graph: Graph, config: ShowoConfig, settings: DistillSettings): Terms {
  const { rows, textLength, textIgnored, textPoints: points = 1, textEnds: ends = "own" } = settings;
  const count = rows.text;
  const packed = packedTexts(config, settings);
  const { prefix, width, texts } = packed;
  const { hidden } = showoBody(config, {
    ids: graph.input("text/ids", "int64", [count, prefix + texts * width]),
    positions: graph.constant(packedPositions(packed)),
    bias: graph.constant(packedBias(packed)),
  });
  const logits = (x: Tensor) => showoHead(config, reshape(x, [-1, config.hiddenSize]));
  // Texts `first` ... `last - 1` of every picture but their last tokens: text by text, picture by picture.
  const textsOf = (first: number, last: number) => {
    const all = reshape(slice(hidden, 1, prefix + first * width, prefix + last * width), [
      count,
      -1,
      width,
      config.hiddenSize,
    ]);
    return slice(transpose(all, [1, 0, 2, 3]), 2, 0, width - 1);
  };
  const labelsOf = (x: Tensor) => softmax(stopGradient(logits(x)));

  const final = textsOf(texts - 1, texts);
  const targets =
    ends === "own" ? labelsOf(textsOf(points, 2 * points)) : concat(new Array<Tensor>(points).fill(labelsOf(final)), 0);
  const consistency = softCrossEntropyRows(logits(textsOf(0, points)), targets);
  const compared = graph.input("text/compared", "float32", [points * count * (width - 1)]);

  // The published code learns part of the picture as text, too.
  const own = reshape(final, [count, width - 1, config.hiddenSize]);
  const from = textIgnored - 1;
  const said = from < prefix ? concat([slice(hidden, 1, from, prefix), own], 1) : slice(own, 1, from - prefix);
  const flat = (of: "labels" | "weights") =>
    reshape(
      slice(
        graph.input(`text/${of}`, of === "labels" ? "int64" : "float32", [count, textLength]),
        1,
        textIgnored,
        textLength,
      ),
      [count * (textLength - textIgnored)],
    );
  const learnt = flat("weights");
  const saying = logits(said);
  return {
    consistency: weightedMean(consistency, compared),
    regularisation: weightedMean(crossEntropyRows(saying, flat("labels")), learnt),
    diversity: div(meanPerplexity(softmax(saying), learnt), graph.input("text/labelPerplexity", "float32", [])),
  };
}

export interface DistillBatch {
  /** Text ids of each prompt, without control ids. */
  readonly prompts: readonly (readonly number[])[];
  /** One row for each prompt. */
  readonly image: ImagePair | ImagePoints;
  /** `textPoints` pairs of the same text, then those of the next one. */
  readonly texts: readonly TextPair[];
  /** Rows of plain text (`textRow`). */
  readonly lm: readonly TrainingRow[];
}

/** Inputs of `distillLosses`. Errors: a text that is longer than the settings say. */
export function distillFeeds(
  config: ShowoConfig,
  settings: TextSettings,
  { prompts, image, texts, lm }: DistillBatch,
): Record<string, NdArray> {
  const { textLength, textIgnored, textPoints: points = 1, textEnds: ends = "own" } = settings;
  const vocabulary = vocabularyOf(config);
  const rowsOf = ({ slots, ids_BL }: Canvas) =>
    Array.from({ length: ids_BL.length / slots }, (_, row) =>
      textToImageIds(config, prompts[row % prompts.length], ids_BL.subarray(row * slots, (row + 1) * slots)),
    );
  const pictures = rowsOf(image.from);
  const cells = image.from.ids_BL.length;
  const soft = (values: Float32Array) => f32([cells, config.codebookSize], values);

  const own: Record<string, NdArray> =
    "student_BLV" in image
      ? { "image/student": soft(image.student_BLV), "image/openAtEnd": openCells(image.to) }
      : {
          "image/targets": i64([image.targets.rows, rowLength(config)], rowsOf(image.targets).flat()),
          "image/takes": f32([image.takes.length], image.takes),
        };

  const long = texts.find(({ from }) => from.length > textLength);
  if (long) fail("a text is too long", { expected: `at most ${textLength} ids`, got: `${long.from.length}` });
  const fill = <T>(xs: readonly T[], length: number, value: T) => [
    ...xs,
    ...new Array<T>(length - xs.length).fill(value),
  ];
  const { prefix, width, texts: packed } = packedTexts(config, settings);
  const pairs = Array.from({ length: texts.length / points }, (_, i) => texts.slice(i * points, (i + 1) * points));
  const finals = pairs.map(([first]) => first);
  const ids = pairs.flatMap((same) => {
    const [{ last }] = same;
    const behind = [...same.map(({ from }) => from), ...(ends === "own" ? same.map(({ to }) => to) : []), last];
    return [...last.slice(0, prefix), ...behind.flatMap((text) => fill(text.slice(prefix), width, vocabulary.pad))];
  });
  const labels = finals.map(({ last, answer = 0 }) => textLabels(last, Math.max(answer, textIgnored)));
  const targets = targetsOf(labels.map((row) => fill(row, textLength, IGNORE)));
  const compared = Array.from({ length: points }, (_, point) => pairs.map((same) => same[point]))
    .flat()
    .flatMap((text) => fill(comparedPositions(text, vocabulary.pad), textLength - 1, false).slice(prefix));
  return {
    "image/ids": i64([pictures.length, rowLength(config)], pictures.flat()),
    "image/bias": additiveMask(predictNextMask(pictures, vocabulary, { hidePads: true })),
    "image/teacher": soft(image.teacher_BLV),
    "image/open": openCells(image.from),
    ...own,
    "text/ids": i64([pairs.length, prefix + packed * width], ids),
    "text/compared": f32([compared.length], compared.map(Number)),
    "text/labels": targets.labels,
    "text/weights": targets.weights,
    "text/labelPerplexity": f32([], [perplexity(labels.flat().filter((id) => id !== IGNORE))]),
    ...pretrainFeeds(config, { t2i: [], lm, mmu: [] }),
  };
}

/** As many different ids, were they all equally frequent. */
function perplexity(ids: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Math.exp([...counts.values()].reduce((sum, n) => sum - (n / ids.length) * Math.log(n / ids.length), 0));
}

/** 1 where a cell is undecided. */
const openCells = ({ ids_BL }: Canvas): NdArray<"float32"> =>
  f32(
    [ids_BL.length],
    Float32Array.from(ids_BL, (id) => Number(id === UNDECIDED)),
  );
