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
  understandingMask,
  vocabularyOf,
} from "../models/showo/index.ts";
import { crossEntropyRows, softCrossEntropyRows, weightedMean } from "../nn/index.ts";
import { comparedPositions, type ImagePair, type TextPair, textLabels } from "./distill-trajectory.ts";
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

export interface DistillSettings {
  /** Pictures, texts about pictures and plain texts in one batch, at least one of each. */
  readonly rows: { readonly image: number; readonly text: number; readonly lm: number };
  /** Length that texts about pictures are padded to. */
  readonly textLength: number;
  /** First ids of such a text that are not learnt as they stand; the published code takes the picture's N + 4. */
  readonly textIgnored: number;
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

/**
 * The student's predictions at one point against its own at the end of the segment, which get no gradient, and the
 * next token of the final text. Over the whole vocabulary; a causal model does not see padding behind a text.
 */
function textLosses(graph: Graph, config: ShowoConfig, { rows, textLength, textIgnored }: DistillSettings): Terms {
  const count = rows.text;
  const ids = (of: string) => graph.input(`text/${of}`, "int64", [count, textLength]);
  const bias = graph.input("text/bias", "float32", [count, 1, textLength, textLength]);
  const positions = graph.constant(positionsFrom(0, textLength));
  const [from, to, last] = ["from", "to", "last"].map(ids);

  const trained = showoBody(config, { ids: concat([from, last], 0), positions, bias: concat([bias, bias], 0) }).hidden;
  const target = showoBody(config, { ids: to, positions, bias }).hidden;
  const flat = (x: Tensor, start: number, end: number, width: number[] = []) =>
    reshape(slice(x, 1, start, end), [count * (end - start), ...width]);
  const logits = (x: Tensor, start: number) => showoHead(config, flat(x, start, textLength - 1, [config.hiddenSize]));

  // Points differ behind the picture and the start of the text at the earliest.
  const start = config.imageTokens + 3;
  const targets = softmax(stopGradient(logits(target, start)));
  const compared = graph.input("text/compared", "float32", [count, textLength - 1]);
  const consistency = softCrossEntropyRows(logits(slice(trained, 0, 0, count), start), targets);

  const labels = graph.input("text/labels", "int64", [count, textLength]);
  const weights = graph.input("text/weights", "float32", [count, textLength]);
  const said = logits(slice(trained, 0, count, 2 * count), textIgnored - 1);
  const learnt = flat(weights, textIgnored, textLength);
  return {
    consistency: weightedMean(consistency, flat(compared, start, textLength - 1)),
    regularisation: weightedMean(crossEntropyRows(said, flat(labels, textIgnored, textLength)), learnt),
    diversity: div(meanPerplexity(softmax(said), learnt), graph.input("text/labelPerplexity", "float32", [])),
  };
}

export interface DistillBatch {
  /** Text ids of each prompt, without control ids. */
  readonly prompts: readonly (readonly number[])[];
  /** One row for each prompt. */
  readonly image: ImagePair | ImagePoints;
  readonly texts: readonly TextPair[];
  /** Rows of plain text (`textRow`). */
  readonly lm: readonly TrainingRow[];
}

/** Inputs of `distillLosses`. Errors: a text that is longer than the settings say. */
export function distillFeeds(
  config: ShowoConfig,
  { textLength, textIgnored }: Pick<DistillSettings, "textLength" | "textIgnored">,
  { prompts, image, texts, lm }: DistillBatch,
): Record<string, NdArray> {
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
  const sequences = (of: "from" | "to" | "last") => texts.map((text) => fill(text[of], textLength, vocabulary.pad));
  const labels = texts.map(({ last, answer = 0 }) => textLabels(last, Math.max(answer, textIgnored)));
  const targets = targetsOf(labels.map((row) => fill(row, textLength, IGNORE)));
  const compared = texts.flatMap((text) => fill(comparedPositions(text, vocabulary.pad), textLength - 1, false));
  return {
    "image/ids": i64([pictures.length, rowLength(config)], pictures.flat()),
    "image/bias": additiveMask(predictNextMask(pictures, vocabulary, { hidePads: true })),
    "image/teacher": soft(image.teacher_BLV),
    "image/open": openCells(image.from),
    ...own,
    "text/from": i64([texts.length, textLength], sequences("from").flat()),
    "text/to": i64([texts.length, textLength], sequences("to").flat()),
    "text/last": i64([texts.length, textLength], sequences("last").flat()),
    "text/bias": additiveMask(understandingMask(sequences("from"), vocabulary)),
    "text/compared": f32([texts.length, textLength - 1], compared.map(Number)),
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
