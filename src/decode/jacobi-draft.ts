/**
 * Lossless drafting: a quick model writes ahead by Jacobi iteration, a slow one checks all of it in one pass and corrects the
 * first slot that is wrong. Every id is the slow model's own choice, so the text is the one it would have written alone.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import {
  ask,
  type Canvas,
  canvasOf,
  type DecodeState,
  type Predictor,
  type Trajectory,
  UNDECIDED,
} from "./contract.ts";
import type { JacobiOptions } from "./jacobi.ts";

export interface DraftedOptions extends JacobiOptions {
  /** Passes of the drafter over a block before it is checked (default 2). Fewer are made if it settles. */
  draftPasses?: number;
}

export interface DraftedState extends DecodeState {
  /** Passes of the drafter so far. */
  readonly draftPasses: number;
}

/**
 * Decodes a canvas of one row. Both predictors have read the same request; slots are sampled with the noise of their place,
 * so that both draw alike where they agree. States are those of the model: `pass` counts its passes.
 */
export async function* decodeDrafted(
  model: Predictor,
  drafter: Predictor,
  canvas: Canvas,
  options: DraftedOptions,
): Trajectory<DraftedState> {
  const { block, sample, stopId, signal, draftPasses: most = 2 } = options;
  const guess = options.guess ?? (({ start, end }) => new Int32Array(end - start));
  const { rows, slots } = canvas;
  if (rows !== 1) fail("Jacobi decoding takes one row", { expected: "a canvas of 1 row", got: `${rows} rows` });
  if (model.vocab !== drafter.vocab)
    fail("the drafter has another vocabulary", { expected: `${model.vocab} ids`, got: `${drafter.vocab}` });
  for (const [where, value] of Object.entries({ block, draftPasses: most }))
    if (!(Number.isInteger(value) && value > 0))
      fail(`bad ${where}`, { where, expected: "a whole number of at least 1", got: `${value}` });
  const ids = canvas.ids_BL.slice();
  const choose = (logits: Float32Array, from: number, slot: number) =>
    sample(logits.subarray((slot - from) * model.vocab, (slot - from + 1) * model.vocab), 0, 0, slot);
  let settled = 0;
  let guessed = 0;
  let drafts = 0;

  for (let pass = 1; settled < slots; pass++) {
    const span = { start: settled, end: Math.min(settled + block, slots) };
    const fresh = { start: Math.max(guessed, span.start), end: span.end };
    if (fresh.start < fresh.end)
      ids.set(guess(fresh, canvasOf(1, slots, ids.slice())).subarray(0, fresh.end - fresh.start), fresh.start);
    guessed = span.end;

    // The drafter's own text goes no further than its last pass made sure of; what lies behind is its best guess.
    let sure = span.start;
    for (let draft = 0; draft < most && sure < span.end; draft++) {
      throwIfAborted(signal);
      const seen = canvasOf(1, slots, ids.slice());
      const logits = await ask(drafter, seen, { start: sure, end: span.end }, sure / slots);
      drafts++;
      const from = sure;
      for (let slot = from; slot < span.end; slot++) ids[slot] = choose(logits, from, slot);
      while (sure < span.end - 1 && ids[sure] === seen.ids_BL[sure]) sure++;
      sure++;
    }

    throwIfAborted(signal);
    const seen = canvasOf(1, slots, ids.slice());
    const logits_BTV = await ask(model, seen, span, settled / slots);
    // Behind a wrong slot the model looked at a wrong text, but its corrections are a better guess than the draft.
    for (let slot = span.start; slot < span.end; slot++) ids[slot] = choose(logits_BTV, span.start, slot);
    while (settled < span.end - 1 && ids[settled] === seen.ids_BL[settled]) settled++;
    settled++;
    const stop = stopId === undefined ? -1 : ids.subarray(span.start, settled).indexOf(stopId);
    if (stop >= 0) {
      settled = span.start + stop + 1;
      ids.fill(UNDECIDED, settled);
    }
    model.settle(settled);
    drafter.settle(settled);
    yield { seen, canvas: canvasOf(1, slots, ids.slice()), span, pass, settled, logits_BTV, draftPasses: drafts };
    if (stop >= 0) return;
  }
}
