/**
 * Drawing without guidance what a frozen teacher draws with it: a student learns on masked pictures what guidance makes of
 * the teacher's logits (Meng et al., "On Distillation of Guided Diffusion Models", section 3.1), and goes on learning from
 * the pictures themselves (Chen et al., "Visual Generation Without Guidance": the student's logits, brought back to those
 * without guidance, should tell the picture). One forward pass then does the work of two.
 */
import type { NdArray } from "../base/index.ts";
import { UNDECIDED } from "../decode/index.ts";
import { add, div, type Graph, mul, reshape, slice, softmax, stopGradient, sub, type Tensor } from "../graph/index.ts";
import {
  IGNORE,
  positionsFrom,
  rowLength,
  type ShowoConfig,
  showoBody,
  showoHead,
  textToImageRow,
} from "../models/showo/index.ts";
import { crossEntropyRows, softCrossEntropyRows, weightedMean } from "../nn/index.ts";
import { asTeacher } from "./frozen-teacher.ts";
import { type MaskedPicture, pretrainFeeds, targetsOf } from "./pretrain-losses.ts";
import { type ImageTrajectory, pictureAt } from "./trajectories.ts";

/** A picture to draw from a prompt. */
export interface GuidedRow {
  text: readonly number[];
  masked: Pick<MaskedPicture, "ids" | "labels">;
}

/**
 * A state of a picture that was drawn in many steps, all that is open there still to be told: what few steps say at once.
 * Learnt as `seen`, where guidance is taken off before the picture is compared, it does not make the student forget
 * guidance, as labels of whole trajectories do (docs/LOG.md).
 */
export function followedRow(trajectory: ImageTrajectory, step: number): GuidedRow {
  const ids = pictureAt(trajectory, step);
  const labels = trajectory.ids_L.map((id, cell) => (ids[cell] === UNDECIDED ? id : IGNORE));
  return { text: trajectory.prompt, masked: { ids, labels } };
}

export interface GuidedLosses {
  /** Cross entropy against the teacher with guidance, mean over masked cells. */
  told: Tensor;
  /** What of `told` a perfect student would be rid of: the divergence from the teacher. */
  divergence: Tensor;
  /** Cross entropy of the picture's own tokens under (student + w * unprompted teacher) / (1 + w). */
  seen: Tensor;
}

/** Inputs of `guidedLosses`: all rows with their prompts, then the same without. */
export function guidedFeeds(config: ShowoConfig, rows: readonly GuidedRow[]): Record<string, NdArray> {
  const both = [false, true].flatMap((drop) =>
    rows.map(({ text, masked }) => textToImageRow(config, text, masked.ids, masked.labels, drop)),
  );
  const { ids, bias } = pretrainFeeds(config, { t2i: both, lm: [], mmu: [] });
  const { labels, weights } = targetsOf(rows.map(({ masked }) => masked.labels));
  return { "guided/ids": ids, "guided/bias": bias, "guided/labels": labels, "guided/weights": weights };
}

/**
 * Declares the inputs of `guidedFeeds`: ids int64 and bias of 2B rows, labels int64 [B, cells] of the codebook and weights
 * [B, cells]. With a(asked) and u(unasked) of the teacher, guidance w is (1 + w) a - w u, as in drawing. `teacher`: its
 * sizes, if they are others.
 */
export function guidedLosses(
  graph: Graph,
  config: ShowoConfig,
  { rows, guidance, teacher: larger = config }: { rows: number; guidance: number; teacher?: ShowoConfig },
): GuidedLosses {
  const length = rowLength(config);
  const cells = config.imageTokens;
  const ids = graph.input("guided/ids", "int64", [2 * rows, length]);
  const bias = graph.input("guided/bias", "float32", [2 * rows, 1, length, length]);
  const flat = (x: Tensor) => reshape(x, [rows * cells]);
  const labels = flat(graph.input("guided/labels", "int64", [rows, cells]));
  const weights = flat(graph.input("guided/weights", "float32", [rows, cells]));
  const positions = graph.constant(positionsFrom(0, length));
  /** Logits [count * cells, codebook] that a network gives the first `count` rows. */
  const logits = (network: ShowoConfig, count: number): Tensor => {
    const part = (x: Tensor) => slice(x, 0, 0, count);
    const { hidden } = showoBody(network, { ids: part(ids), positions, bias: part(bias) });
    const picture = slice(hidden, 1, length - 1 - cells, length - 1);
    return showoHead(network, reshape(picture, [count * cells, network.hiddenSize]), "image");
  };
  const said = logits(config, rows);
  const teacher = stopGradient(
    asTeacher(graph, () => logits({ ...larger, maxTextTokens: config.maxTextTokens }, 2 * rows)),
  );
  const [asked, unasked] = [slice(teacher, 0, 0, rows * cells), slice(teacher, 0, rows * cells, 2 * rows * cells)];
  const guided = add(asked, mul(sub(asked, unasked), guidance));
  const target = softmax(guided);
  const told = weightedMean(softCrossEntropyRows(said, target), weights);
  const least = weightedMean(softCrossEntropyRows(guided, target), weights);
  const without = div(add(said, mul(unasked, guidance)), 1 + guidance);
  return {
    told,
    divergence: sub(told, least),
    seen: weightedMean(crossEntropyRows(without, labels), weights),
  };
}
