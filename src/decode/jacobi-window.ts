/**
 * Jacobi decoding with a window that slides: behind every settled slot a new one is guessed, and how many slots a pass
 * corrects is up to a `Window`, which may learn what a slot costs and how often it is right. The text is that of one token at
 * a time whatever the window. Knows no clock: costs are given.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import { ask, type Canvas, canvasOf, type Predictor, type Trajectory, UNDECIDED } from "./contract.ts";
import type { JacobiOptions } from "./jacobi.ts";

/** Chooses how many slots the next pass corrects. */
export interface Window {
  /** Slots of the next pass, at least 1. */
  size(): number;
  /** What became of a pass: of `corrected` slots the first `settled` are final. */
  saw(corrected: number, settled: number): void;
}

/** Always `size` slots. */
export function fixedWindow(size: number): Window {
  if (!(Number.isInteger(size) && size > 0))
    fail("bad window", { where: "window", expected: "a whole number of at least 1", got: `${size}` });
  return { size: () => size, saw() {} };
}

export interface AdaptiveOptions {
  /** Cost of a pass over so many slots, in any unit. */
  cost(slots: number): number;
  /** Most slots of a pass (default 32). */
  most?: number;
}

/** Passes after which an observation has faded to a third. */
const MEMORY = 64;
/** What is believed of a slot before it was tried: that it settles in half of the passes that settle the one before it. */
const PRIOR = { settled: 1, tried: 2 };

/**
 * The window of most tokens for the cost, by how often each of its slots has settled lately; the first one always does. What
 * was not tried for long is believed in again, so that windows grow where their last slots mostly settle.
 */
export function adaptiveWindow({ cost, most = 32 }: AdaptiveOptions): Window {
  const settledOf = new Float64Array(most);
  const triedOf = new Float64Array(most);
  /** Share of passes that settle slot `j`, given that they settled those before it. */
  const goesOn = (j: number): number => (j === 0 ? 1 : (settledOf[j] + PRIOR.settled) / (triedOf[j] + PRIOR.tried));
  return {
    size() {
      let [best, rate, reaches, tokens] = [1, 0, 1, 0];
      for (let slots = 1; slots <= most; slots++) {
        reaches *= goesOn(slots - 1);
        tokens += reaches;
        if (tokens / cost(slots) > rate) [best, rate] = [slots, tokens / cost(slots)];
      }
      return best;
    },
    saw(corrected, settled) {
      for (let j = 1; j < most; j++) {
        // Slot j was put to the test only if all before it settled.
        const tried = j < corrected && j <= settled;
        settledOf[j] = settledOf[j] * (1 - 1 / MEMORY) + Number(tried && j < settled);
        triedOf[j] = triedOf[j] * (1 - 1 / MEMORY) + Number(tried);
      }
    },
  };
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
  for (let pass = 1; settled < slots; pass++) {
    throwIfAborted(signal);
    const span = { start: settled, end: Math.min(settled + window.size(), slots) };
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
    window.saw(span.end - span.start, settled - span.start);
    const stop = stopId === undefined ? -1 : ids.subarray(span.start, settled).indexOf(stopId);
    if (stop >= 0) {
      settled = span.start + stop + 1;
      ids.fill(UNDECIDED, settled);
    }
    model.settle(settled);
    yield { seen, canvas: canvasOf(1, slots, ids.slice()), span, pass, settled, logits_BTV };
    if (stop >= 0) return;
  }
}
