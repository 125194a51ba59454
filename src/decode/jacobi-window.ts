/**
 * Jacobi decoding with a window that slides: behind every settled slot a new one is guessed, and how many slots a pass
 * corrects is up to a `Window`, which may learn from what became of the slots. Behind a guessed end nothing is corrected.
 * The text is that of one token at a time whatever the window.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import { ask, type Canvas, canvasOf, type Predictor, type Trajectory, UNDECIDED } from "./contract.ts";
import type { JacobiOptions } from "./jacobi.ts";

/** Chooses how many slots the next pass corrects. */
export interface Window {
  /** Slots of the next pass, at least 1. */
  size(): number;
  /** What became of a pass: `corrections` says how often each of its slots was corrected before; the first `settled` are final. */
  saw(corrections: ArrayLike<number>, settled: number): void;
  /** A text of so many tokens is done. */
  wrote(length: number): void;
}

/** Always `size` slots. */
export function fixedWindow(size: number): Window {
  if (!(Number.isInteger(size) && size > 0))
    fail("bad window", { where: "window", expected: "a whole number of at least 1", got: `${size}` });
  return { size: () => size, saw() {}, wrote() {} };
}

export interface SlidingOptions extends Omit<JacobiOptions, "block"> {
  window: Window;
}

/** Decodes a canvas of one row from left to right; every pass settles at least one slot. */
export async function* decodeSliding(model: Predictor, canvas: Canvas, options: SlidingOptions): Trajectory {
  const { window, sample, guess = ({ start, end }) => new Int32Array(end - start), stopId, signal } = options;
  const { rows, slots } = canvas;
  if (rows !== 1) fail("Jacobi decoding takes one row", { expected: "a canvas of 1 row", got: `${rows} rows` });
  const ids = canvas.ids_BL.slice();
  let settled = 0;
  let guessed = 0;
  const corrections = new Uint32Array(slots);
  for (let pass = 1; settled < slots; pass++) {
    throwIfAborted(signal);
    const span = { start: settled, end: Math.min(settled + window.size(), slots) };
    const told = ids.subarray(settled, span.end).findIndex((id, i) => id === stopId && corrections[settled + i] > 0);
    if (told >= 0) span.end = settled + told + 1;
    if (guessed < span.end) {
      const fresh = { start: Math.max(guessed, span.start), end: span.end };
      ids.set(guess(fresh, canvasOf(1, slots, ids.slice())).subarray(0, fresh.end - fresh.start), fresh.start);
      guessed = span.end;
    }
    const seen = canvasOf(1, slots, ids.slice());
    const logits_BTV = await ask(model, seen, span, settled / slots);
    for (let slot = span.start; slot < span.end; slot++) {
      const at = (slot - span.start) * model.vocab;
      ids[slot] = sample(logits_BTV.subarray(at, at + model.vocab), 0, 0, slot);
    }
    // A slot is right once everything before it was right when the model looked.
    while (settled < span.end - 1 && ids[settled] === seen.ids_BL[settled]) settled++;
    settled++;
    window.saw(corrections.subarray(span.start, span.end), settled - span.start);
    for (let slot = span.start; slot < span.end; slot++) corrections[slot]++;
    const stop = stopId === undefined ? -1 : ids.subarray(span.start, settled).indexOf(stopId);
    if (stop >= 0) {
      settled = span.start + stop + 1;
      ids.fill(UNDECIDED, settled);
    }
    model.settle(settled);
    if (stop >= 0 || settled === slots) window.wrote(settled);
    yield { seen, canvas: canvasOf(1, slots, ids.slice()), span, pass, settled, logits_BTV };
    if (stop >= 0) return;
  }
}
