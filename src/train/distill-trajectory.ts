/**
 * What a student learns from its teacher's trajectories (Show-o Turbo, section 3 and appendix C; Show-o spec section 10):
 * points of a trajectory, the points they should jump to, and the labels there. Knows no losses and no optimiser.
 */
import { fail } from "../base/index.ts";
import {
  argmax,
  type Canvas,
  decodeMasked,
  type MaskedOptions,
  type MaskedState,
  type Predictor,
  probabilities,
  segmentEnd,
  type Trajectory,
  UNDECIDED,
} from "../decode/index.ts";
import { IGNORE } from "../models/showo/index.ts";

/** A teacher's way through a picture: the most likely ids, no noise, and nothing left masked after the last step. */
export const imageTrajectory = (
  teacher: Predictor,
  canvas: Canvas,
  options: Pick<MaskedOptions, "passes" | "schedule" | "signal">,
): Trajectory<MaskedState> =>
  decodeMasked(teacher, canvas, { ...options, sample: argmax, temperature: 0, minMasked: 0 });

/** Running distributions of the cells of a canvas, `values_BLV`; 0 until a cell was recorded. */
export interface DistributionTable {
  readonly values_BLV: Float32Array;
  /** Takes over the softmax of `logits_BLV` for the cells that `seen` leaves open; the others keep what they had. */
  record(seen: Canvas, logits_BLV: Float32Array): void;
}

export function distributionTable({ rows, slots }: Canvas, vocab: number): DistributionTable {
  const values_BLV = new Float32Array(rows * slots * vocab);
  return {
    values_BLV,
    record(seen, logits_BLV) {
      for (const [cell, id] of seen.ids_BL.entries()) {
        const [start, end] = [cell * vocab, (cell + 1) * vocab];
        if (id === UNDECIDED) values_BLV.set(probabilities(logits_BLV.subarray(start, end)), start);
      }
    },
  };
}

/** One point of a picture's trajectory and the end of its segment. */
export interface ImagePair {
  /** What the student sees. */
  readonly from: Canvas;
  /** The state at the end of the segment. */
  readonly to: Canvas;
  /** Distributions of the teacher, guided, at the end: of the last step at which a cell was masked. */
  readonly teacher_BLV: Float32Array;
  /** Those of the student itself, unguided. */
  readonly student_BLV: Float32Array;
}

export interface ImagePairOptions {
  passes: number;
  /** Parts that the trajectory is cut into; they divide the passes. */
  segments: number;
  /** The step to learn from, 0 ... passes - 1. */
  step: number;
  /** First step that is recorded (default `step`: labels of cells that were decided before it are never asked for). */
  since?: number;
}

/**
 * Follows a trajectory up to the end of the segment of `step`, with the student looking at the same states, and stops
 * there. A segment ends where the next one begins, the last one at the last state with masks.
 */
export async function imagePair(
  trajectory: Trajectory<MaskedState>,
  student: Predictor,
  { passes, segments, step, since = step }: ImagePairOptions,
): Promise<ImagePair> {
  if (passes % segments !== 0)
    fail("segments must divide the steps", {
      where: "segments",
      expected: `a divisor of ${passes}`,
      got: `${segments}`,
    });
  if (!(Number.isInteger(step) && step >= 0 && step < passes))
    fail("no such step", { where: "step", expected: `0 to ${passes - 1}`, got: `${step}` });
  const end = segmentEnd(step, passes, segments, "image");
  let from: Canvas | undefined;
  let tables: { teacher: DistributionTable; student: DistributionTable } | undefined;
  for await (const { seen, span, pass, logits_BTV } of trajectory) {
    const at = pass - 1;
    if (at === step) from = seen;
    if (at < since) continue;
    tables ??= { teacher: distributionTable(seen, student.vocab), student: distributionTable(seen, student.vocab) };
    tables.teacher.record(seen, logits_BTV);
    tables.student.record(seen, await student.predict(seen, span, pass / passes));
    if (at === end && from)
      return { from, to: seen, teacher_BLV: tables.teacher.values_BLV, student_BLV: tables.student.values_BLV };
  }
  return fail("the trajectory ends before the segment does", { expected: `${end + 1} steps` });
}

/** One point of a text's trajectory, the end of its segment, and the text that the teacher arrived at. */
export interface TextPair {
  /** Whole sequences: picture, question, earlier rounds and the tokens of this round. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly last: readonly number[];
  /** Ids before the answer, where those are not learnt. */
  readonly answer?: number;
}

/**
 * Point `index` of the iterates of one Jacobi round behind `prompt`, cut into `segments`; a segment ends at its own last
 * point. Errors: the last iterate has nowhere to jump to.
 */
export function textPair(
  prompt: readonly number[],
  points: readonly ArrayLike<number>[],
  { segments, index }: { segments: number; index: number },
): TextPair {
  if (!(Number.isInteger(index) && index >= 0 && index < points.length - 1))
    fail("no such point", { where: "index", expected: `0 to ${points.length - 2}`, got: `${index}` });
  const sequence = (at: number) => [...prompt, ...Array.from(points[at])];
  return {
    from: sequence(index),
    to: sequence(segmentEnd(index, points.length, segments, "text")),
    last: sequence(points.length - 1),
  };
}

/**
 * Positions 0 ... L-2 whose prediction is compared between two points: from the first that predicts another token on,
 * without those that precede padding. None if the points are equal.
 */
export function comparedPositions({ from, to }: Pick<TextPair, "from" | "to">, pad: number): boolean[] {
  const first = from.findIndex((id, i) => i > 0 && id !== to[i]) - 1;
  return from.slice(1).map((next, q) => first >= 0 && q >= first && next !== pad);
}

/** Labels of a text that is learnt as it stands, but for its first `ignored` ids. */
export const textLabels = (ids: readonly number[], ignored: number): number[] =>
  ids.map((id, i) => (i < ignored ? IGNORE : id));
