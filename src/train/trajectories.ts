/**
 * Teachers' trajectories as they are kept: of a picture when each cell was decided, as what, and what the teacher said of
 * it while it was open; of a text the iterates of each Jacobi round. Knows no files and no losses.
 */
import { fail } from "../base/index.ts";
import {
  ascending,
  blank,
  type Canvas,
  canvasOf,
  categorical,
  type DecodeState,
  decodeMasked,
  iterates,
  type Predictor,
  peak,
  probabilities,
  seeded,
  segmentEnd,
  type Trajectory,
  UNDECIDED,
} from "../decode/index.ts";
import { imageTrajectory } from "./distill-trajectory.ts";

/** A trajectory of one picture. Cells are decided once, so every state follows from `decided_L`. */
export interface ImageTrajectory {
  /** Text ids, without control ids. */
  readonly prompt: readonly number[];
  readonly ids_L: Int32Array;
  /** Step, from 0, at which each cell was decided. */
  readonly decided_L: Uint8Array;
  /**
   * What the teacher said at every step of every open cell: its K most likely ids and their shares, which sum to 1. Cell by
   * cell, each from step 0 to the step that decided it.
   */
  readonly labelIds: Int32Array;
  readonly labelShares: Float32Array;
}

export interface RecordOptions {
  passes: number;
  /** Ids kept of each distribution (K). */
  labels: number;
  /** Draws as people draw, with the noise of such a seed for each prompt; without, greedily as published. */
  seeds?: readonly number[];
  /** With seeds: noise in the order of decisions (default 1), and ids to draw from (default all; 1 takes the likeliest). */
  temperature?: number;
  topK?: number;
  signal?: AbortSignal;
}

/** Follows the teacher through one picture for each prompt, all at once. */
export async function recordPictures(
  teacher: Predictor,
  prompts: readonly (readonly number[])[],
  cells: number,
  { passes, labels, seeds, temperature, topK, signal }: RecordOptions,
): Promise<ImageTrajectory[]> {
  const kept = Math.min(labels, teacher.vocab);
  const decided = new Uint8Array(prompts.length * cells);
  const said: Label[][] = Array.from(decided, () => []);
  let ids_BL: Int32Array = new Int32Array(0);
  const canvas = blank(prompts.length, cells);
  const states = seeds
    ? decodeMasked(teacher, canvas, {
        passes,
        sample: categorical({ noise: seeded(seeds, "sample"), topK }),
        noise: seeded(seeds, "remask"),
        temperature,
        minMasked: 0,
        signal,
      })
    : imageTrajectory(teacher, canvas, { passes, signal });
  for await (const state of states) {
    for (const [cell, id] of state.seen.ids_BL.entries()) {
      if (id !== UNDECIDED) continue;
      const logits_V = state.logits_BTV.subarray(cell * teacher.vocab, (cell + 1) * teacher.vocab);
      said[cell].push(mostLikely(logits_V, kept));
      decided[cell] = state.pass - 1;
    }
    ids_BL = state.remasked.ids_BL;
  }
  return prompts.map((prompt, row) => {
    const [start, end] = [row * cells, (row + 1) * cells];
    const all = said.slice(start, end).flat();
    return {
      prompt,
      ids_L: ids_BL.slice(start, end),
      decided_L: decided.slice(start, end),
      labelIds: Int32Array.from(all.flatMap(({ ids }) => ids)),
      labelShares: Float32Array.from(all.flatMap(({ shares }) => shares)),
    };
  });
}

interface Label {
  ids: number[];
  shares: number[];
}

/** The `count` most likely ids with their softmax among each other: the whole distribution cut off and brought to a sum of 1. */
function mostLikely(logits_V: Float32Array, count: number): Label {
  if (count === 1) return { ids: [peak(logits_V)], shares: [1] };
  const limit = ascending(logits_V.slice(), logits_V.length - count);
  const ids: number[] = [];
  for (let id = 0; id < logits_V.length; id++) if (logits_V[id] > limit) ids.push(id);
  for (let id = 0; ids.length < count; id++) if (logits_V[id] === limit) ids.push(id);
  return { ids, shares: Array.from(probabilities(Float32Array.from(ids, (id) => logits_V[id]))) };
}

/** The state before step `step`. */
export const pictureAt = ({ ids_L, decided_L }: ImageTrajectory, step: number): Int32Array =>
  ids_L.map((id, cell) => (decided_L[cell] < step ? id : UNDECIDED));

/** Pairs of points for a batch of pictures, the student's own labels to be made within the training step. */
export interface ImagePoints {
  /** What the student sees. */
  readonly from: Canvas;
  /** What the teacher said last of each cell that `from` leaves open, up to the end of the segment; 0 elsewhere. */
  readonly teacher_BLV: Float32Array;
  /** Later states of each picture: the first of every picture, the second of every picture, ... */
  readonly targets: Canvas;
  /** For each cell of `targets`, 1 where the student labels itself. */
  readonly takes: Float32Array;
}

export interface SegmentOptions {
  passes: number;
  segments: number;
  /**
   * Which cells the student agrees on with itself: those that are open at the end of the segment, as published, or all that
   * are open where it stands, each as last seen open.
   */
  consistency: "end" | "current";
}

/** Later states at which a student labels itself, of each picture. */
export const targetCount = ({ passes, segments, consistency }: SegmentOptions): number =>
  consistency === "end" ? 1 : Math.floor(passes / segments);

/** Point `step` of each trajectory with the end of its segment. */
export function imagePoints(
  picked: readonly { trajectory: ImageTrajectory; step: number }[],
  vocab: number,
  options: SegmentOptions,
): ImagePoints {
  const rows = picked.length;
  const cells = picked[0].trajectory.ids_L.length;
  const count = targetCount(options);
  const teacher_BLV = new Float32Array(rows * cells * vocab);
  const from = new Int32Array(rows * cells);
  const targets = new Int32Array(count * rows * cells);
  const takes = new Float32Array(count * rows * cells);
  for (const [row, { trajectory, step }] of picked.entries()) {
    const { passes, segments, consistency } = options;
    const end = segmentEnd(step, passes, segments, "image");
    from.set(pictureAt(trajectory, step), row * cells);
    copyLabels(trajectory, { step, end }, teacher_BLV.subarray(row * cells * vocab, (row + 1) * cells * vocab), vocab);
    for (let i = 0; i < count; i++) {
      // What the student says where it stands would be a label without gradient: later states only.
      const at = consistency === "end" ? end : Math.min(step + 1 + i, end);
      const place = (i * rows + row) * cells;
      targets.set(pictureAt(trajectory, at), place);
      const first = consistency === "end" || step + 1 + i <= end;
      for (const [cell, decided] of trajectory.decided_L.entries()) {
        const last = Math.min(decided, end) === at;
        const wanted = consistency === "end" ? decided >= end : last && at > step;
        takes[place + cell] = Number(first && wanted);
      }
    }
  }
  return { from: canvasOf(rows, cells, from), teacher_BLV, targets: canvasOf(count * rows, cells, targets), takes };
}

/** Dense rows of what was said of each cell open at `step` when it was last open, `end` at the latest. */
function copyLabels(
  { decided_L, labelIds, labelShares }: ImageTrajectory,
  { step, end }: { step: number; end: number },
  out_LV: Float32Array,
  vocab: number,
): void {
  const kept = labelIds.length / decided_L.reduce((n, decided) => n + decided + 1, 0);
  let before = 0;
  for (const [cell, decided] of decided_L.entries()) {
    const start = (before + Math.min(decided, end)) * kept;
    if (decided >= step) for (let i = start; i < start + kept; i++) out_LV[cell * vocab + labelIds[i]] = labelShares[i];
    before += decided + 1;
  }
}

/** One Jacobi round of a text. */
export interface TextTrajectory {
  /** Everything before this round: picture, question, earlier rounds. */
  readonly prompt: readonly number[];
  /** Length of picture and question. */
  readonly asked: number;
  /** Its guess and every distinct correction up to the fixed point, none longer than the text turned out. */
  readonly points: readonly (readonly number[])[];
}

/**
 * The rounds of a Jacobi decoding whose states these are. What lies behind the end of the text is left out: a causal model
 * never looks back at it. Rounds that were right at once teach nothing and are left out as well.
 */
export async function recordText(states: Trajectory, prompt: readonly number[]): Promise<TextTrajectory[]> {
  const rounds = new Map<number, DecodeState[]>();
  let settled = 0;
  for await (const state of states) {
    const known = rounds.get(state.span.end) ?? [];
    rounds.set(state.span.end, [...known, state]);
    settled = state.settled;
  }
  const last = [...rounds.values()].at(-1)?.at(-1) ?? fail("nothing was decoded");
  const answer = Array.from(last.canvas.ids_BL.subarray(0, settled));
  return [...rounds.values()].flatMap((round) => {
    const { start } = round[0].span;
    const texts = iterates(round).map((ids) => Array.from(ids).slice(0, settled - start));
    const final = answer.slice(start, start + texts[0].length);
    const points = [...texts.slice(0, -1), final].filter(
      (text, i, all) => i === 0 || text.join() !== all[i - 1].join(),
    );
    return points.length > 1 ? [{ prompt: [...prompt, ...answer.slice(0, start)], asked: prompt.length, points }] : [];
  });
}
