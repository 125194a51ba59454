/** Masked denoising (MaskGIT; Show-o spec section 5): decide every open cell, then open the least sure ones again. */
import { breather, fail, throwIfAborted } from "../base/index.ts";
import {
  ask,
  type Canvas,
  canvasOf,
  type DecodeState,
  type Predictor,
  type Sampler,
  type Trajectory,
  UNDECIDED,
} from "./contract.ts";
import type { Noise } from "./noise.ts";
import { cutoff, KNOWN, remaskScore, scheduledLength } from "./remask.ts";
import { probabilityOf } from "./samplers.ts";
import { type Schedule, type ScheduleName, schedule } from "./schedules.ts";

export interface MaskedOptions {
  /** Forward passes, at least 1. */
  passes: number;
  sample: Sampler;
  /** Share of the canvas that stays masked over time (default cosine). */
  schedule?: ScheduleName | Schedule;
  /** Uniforms of the re-mask noise, `seeded(seed, "remask")`; without them the least sure cells are masked exactly. */
  noise?: Noise;
  /** Starting strength of that noise (default 1). Each pass multiplies it by the share of passes left. */
  temperature?: number;
  /** Cells that stay masked at least, while any is open: 1 when drawing, 0 for trajectories to learn from. */
  minMasked?: 0 | 1;
  signal?: AbortSignal;
}

export interface MaskedState extends DecodeState {
  /** Every cell decided: the picks of this pass beside what was known. On the last pass this is the canvas. */
  readonly sampled: Canvas;
  /** After the least sure cells were opened again. Before the last pass this is the canvas. */
  readonly remasked: Canvas;
  /** Probability of each pick under the full softmax; the largest float32 where the cell was known. */
  readonly sureness_BL: Float32Array;
  /** ln(sureness) plus noise: what the re-mask sorts by. */
  readonly score_BL: Float32Array;
  /** Cells asked to stay masked, for each row. */
  readonly maskLength_B: Int32Array;
  /** Strength of the noise in this pass. */
  readonly temperature: number;
}

/**
 * Decides a canvas in `passes` forward passes. Cells that start decided keep their id (inpainting); the schedule counts
 * the whole canvas all the same. A row with nothing open is left alone, where the published code would redraw a cell.
 */
export async function* decodeMasked(model: Predictor, canvas: Canvas, options: MaskedOptions): Trajectory<MaskedState> {
  const { passes, sample, noise, temperature: start = noise ? 1 : 0, minMasked = 1, signal } = options;
  if (!(Number.isInteger(passes) && passes > 0))
    fail("bad number of steps", { where: "passes", expected: "a whole number of at least 1", got: `${passes}` });
  if (!(start >= 0 && start < Infinity))
    fail("bad re-mask temperature", { where: "temperature", expected: "a number of at least 0", got: `${start}` });
  if (start > 0 && !noise)
    fail("a re-mask temperature needs noise", { where: "noise", hint: 'Give noise: seeded(seed, "remask").' });
  const gamma = schedule(options.schedule ?? "cosine");
  const { rows, slots } = canvas;
  const span = { start: 0, end: slots };
  let seen = canvasOf(rows, slots, canvas.ids_BL.slice());
  let temperature = start;
  const pause = breather();

  for (let pass = 1; pass <= passes; pass++) {
    throwIfAborted(signal);
    const t = pass / passes;
    const logits_BTV = await ask(model, seen, span, t);
    temperature *= 1 - t;

    const sampled_BL = seen.ids_BL.slice();
    const sureness_BL = new Float32Array(rows * slots).fill(KNOWN);
    const score_BL = new Float32Array(rows * slots);
    for (let i = 0; i < rows * slots; i++) {
      await pause();
      const [row, slot] = [Math.floor(i / slots), i % slots];
      if (sampled_BL[i] === UNDECIDED) {
        const logits_V = logits_BTV.subarray(i * model.vocab, (i + 1) * model.vocab);
        sampled_BL[i] = sample(logits_V, pass, row, slot);
        sureness_BL[i] = probabilityOf(logits_V, sampled_BL[i]);
      }
      score_BL[i] = remaskScore(sureness_BL[i], temperature, temperature > 0 ? noise!(pass, row, slot) : 0.5);
    }

    const remasked_BL = sampled_BL.slice();
    const maskLength_B = new Int32Array(rows);
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * slots, (row + 1) * slots];
      const open = seen.ids_BL.subarray(from, to).reduce((n, id) => n + Number(id === UNDECIDED), 0);
      if (open === 0) continue;
      maskLength_B[row] = Math.max(minMasked, Math.min(open - 1, scheduledLength(gamma, t, slots)));
      const limit = cutoff(score_BL.subarray(from, to), maskLength_B[row]);
      for (let i = from; i < to; i++) if (score_BL[i] < limit) remasked_BL[i] = UNDECIDED;
    }

    const last = pass === passes;
    const sampled = canvasOf(rows, slots, sampled_BL);
    const remasked = canvasOf(rows, slots, remasked_BL);
    const settled = last ? slots : 0;
    const made = { sampled, remasked, sureness_BL, score_BL, maskLength_B, temperature };
    yield { seen, canvas: last ? sampled : remasked, span, pass, settled, logits_BTV, ...made };
    seen = remasked;
  }
}
