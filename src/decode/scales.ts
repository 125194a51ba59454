/** Next-scale decoding (VAR): every scale is decided in one pass, coarse to fine. */
import { throwIfAborted } from "../base/index.ts";
import {
  ask,
  type Canvas,
  canvasOf,
  type Predictor,
  type Sampler,
  type Span,
  type Trajectory,
  UNDECIDED,
} from "./contract.ts";

export interface ScalesOptions {
  /** The slots of every scale, coarse to fine: `squareScales([1, 2, 3, 4])`. */
  scales: readonly Span[];
  /** Scales of the whole picture, where `scales` are only its first; progress is counted by them. */
  total?: number;
  sample: Sampler;
  signal?: AbortSignal;
}

/** Scales of n x n slots one behind the other. */
export function squareScales(sides: readonly number[]): Span[] {
  let end = 0;
  return sides.map((side) => ({ start: end, end: (end += side * side) }));
}

/**
 * Progress runs from 0 at the first scale to 1 at the last. Slots that start decided keep their id (editing); the model
 * is asked for them all the same.
 */
export async function* decodeScales(model: Predictor, canvas: Canvas, options: ScalesOptions): Trajectory {
  const { scales, total = options.scales.length, sample, signal } = options;
  const { rows, slots } = canvas;
  let seen = canvasOf(rows, slots, canvas.ids_BL.slice());
  for (const [i, span] of scales.entries()) {
    throwIfAborted(signal);
    const pass = i + 1;
    const logits_BTV = await ask(model, seen, span, total === 1 ? 1 : i / (total - 1));
    const ids = seen.ids_BL.slice();
    let at = 0;
    for (let row = 0; row < rows; row++)
      for (let slot = span.start; slot < span.end; slot++, at += model.vocab)
        if (ids[row * slots + slot] === UNDECIDED)
          ids[row * slots + slot] = sample(logits_BTV.subarray(at, at + model.vocab), pass, row, slot);
    model.settle(span.end);
    const now = canvasOf(rows, slots, ids);
    yield { seen, canvas: now, span, pass, settled: span.end, logits_BTV };
    seen = now;
  }
}
