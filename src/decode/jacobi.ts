/**
 * Jacobi decoding of text (Show-o spec section 6): guess a block, let the model correct all of it at once until nothing
 * changes. It ends exactly where one token at a time would end, which is the case of block 1.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import {
  ask,
  type Canvas,
  canvasOf,
  type DecodeState,
  type Predictor,
  type Sampler,
  type Span,
  type Trajectory,
  UNDECIDED,
} from "./contract.ts";
import type { Noise } from "./noise.ts";

export interface JacobiRoundOptions {
  /** Called with pass 0 whatever the pass: its noise must depend on the slot alone, or there is no fixed point. */
  sample: Sampler;
  signal?: AbortSignal;
}

export interface JacobiOptions extends JacobiRoundOptions {
  /** Tokens per round: 1 is plain autoregression, 16 is published. */
  block: number;
  /** First ids of a round: `randomGuess`, a draft, by default zeros. They change the number of passes, not the result. */
  guess?: (span: Span, canvas: Canvas) => Int32Array;
  /** Ends decoding when this id is settled; the slots behind it stay undecided. */
  stopId?: number;
}

/**
 * One round: corrects the guess that `canvas` holds in `span` until it is a fixed point. Slots before `span` are settled.
 * Every pass settles at least one more slot; a pass that only confirms is not made.
 */
export async function* jacobiRound(
  model: Predictor,
  canvas: Canvas,
  span: Span,
  options: JacobiRoundOptions,
): Trajectory {
  const { sample, signal } = options;
  const { rows, slots } = canvas;
  if (rows !== 1) fail("Jacobi decoding takes one row", { expected: "a canvas of 1 row", got: `${rows} rows` });
  let seen = canvasOf(1, slots, canvas.ids_BL.slice());
  if (seen.ids_BL.subarray(0, span.end).includes(UNDECIDED))
    fail("the guess leaves slots undecided", { where: "guess", expected: `an id in every slot before ${span.end}` });
  let settled = span.start;
  for (let pass = 1; settled < span.end; pass++) {
    throwIfAborted(signal);
    const open = { start: settled, end: span.end };
    const logits_BTV = await ask(model, seen, open, settled / slots);
    const ids = seen.ids_BL.slice();
    for (let slot = open.start; slot < open.end; slot++) {
      const at = (slot - open.start) * model.vocab;
      ids[slot] = sample(logits_BTV.subarray(at, at + model.vocab), 0, 0, slot);
    }
    // A slot is right once everything before it was right when the model looked.
    while (settled < span.end - 1 && ids[settled] === seen.ids_BL[settled]) settled++;
    settled++;
    model.settle(settled);
    const now = canvasOf(1, slots, ids);
    yield { seen, canvas: now, span: open, pass, settled, logits_BTV };
    seen = now;
  }
}

/** Decodes a canvas of one row from left to right in rounds of `block` slots. */
export async function* decodeJacobi(model: Predictor, canvas: Canvas, options: JacobiOptions): Trajectory {
  const { block, guess = ({ start, end }: Span) => new Int32Array(end - start), stopId } = options;
  if (!(Number.isInteger(block) && block > 0))
    fail("bad block size", { where: "block", expected: "a whole number of at least 1", got: `${block}` });
  const { rows, slots } = canvas;
  let now = canvas;
  let pass = 0;
  for (let start = 0; start < slots; start += block) {
    const span = { start, end: Math.min(start + block, slots) };
    const ids = now.ids_BL.slice();
    ids.set(guess(span, now).subarray(0, span.end - start), start);
    for await (const state of jacobiRound(model, canvasOf(rows, slots, ids), span, options)) {
      pass++;
      now = state.canvas;
      const fresh = now.ids_BL.subarray(state.span.start, state.settled);
      const stop = stopId === undefined ? -1 : fresh.indexOf(stopId);
      if (stop < 0) {
        yield { ...state, pass };
        continue;
      }
      const settled = state.span.start + stop + 1;
      yield { ...state, pass, settled, canvas: canvasOf(1, slots, now.ids_BL.slice().fill(UNDECIDED, settled)) };
      return;
    }
  }
}

/** Guesses drawn uniformly from `pool` (the ids of the prompt) and the ids settled so far, as published. */
export const randomGuess =
  (pool: ArrayLike<number>, noise: Noise): NonNullable<JacobiOptions["guess"]> =>
  ({ start, end }, { ids_BL }) => {
    const n = pool.length + start;
    if (n === 0) fail("nothing to guess from", { where: "pool", expected: "at least one id" });
    return Int32Array.from({ length: end - start }, (_, i) => {
      const at = Math.floor(noise(0, 0, start + i) * n);
      return at < pool.length ? pool[at] : ids_BL[at - pool.length];
    });
  };

/**
 * The iterates of one round: its guess, then every distinct correction up to the fixed point. The published decoder runs
 * exactly as many passes, its last one confirming the last iterate.
 */
export function iterates(round: readonly DecodeState[]): Int32Array[] {
  if (round.length === 0) return [];
  const { start, end } = round[0].span;
  const rows = [round[0].seen, ...round.map((state) => state.canvas)].map(({ ids_BL }) => ids_BL.slice(start, end));
  const changed = (row: Int32Array, i: number) => i === 0 || row.some((id, k) => id !== rows[i - 1][k]);
  return rows.filter(changed);
}
