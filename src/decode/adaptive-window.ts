/**
 * A window of Jacobi decoding that learns: how often a slot is right by how often it was corrected before, and how long texts
 * are. From both it rehearses texts with windows of every size and takes the one that costs least. Knows no clock: costs are
 * given.
 */
import { uniformAt } from "../base/index.ts";
import type { Window } from "./jacobi-window.ts";

export interface AdaptiveOptions {
  /** Cost of a pass over so many slots, in any unit. */
  cost(slots: number): number;
  /** Most slots of a pass (default 32). */
  most?: number;
}

/** Corrections that are told apart: none, one, two or more. */
const AGES = 3;
/**
 * What is believed before anything was seen: the share of slots that are right by how often they were corrected, as if tried
 * twice. Hopeful, since a window of one slot tries nothing and would never learn better.
 */
const PRIOR = { right: [0.1, 0.8, 0.9], tried: 2, length: 12 };
/** Texts after which an observation has faded to a third. */
const MEMORY = 64;
/** Lengths of the latest texts that are kept, and how often each is rehearsed. */
const [TEXTS, TIMES] = [16, 4];
/** What is rehearsed of a text: the rest goes on alike, and a rehearsal shall cost nothing beside a pass. */
const LONGEST = 96;
const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64];

/**
 * The window in which texts like those seen cost least. It is chosen anew after 1, 2, 4, ... texts, then after every 16, and
 * stays while a text is written.
 */
export function adaptiveWindow({ cost, most = 32 }: AdaptiveOptions): Window {
  const right = new Float64Array(AGES);
  const tried = new Float64Array(AGES);
  const lengths: number[] = [];
  let texts = 0;
  const sizes = SIZES.filter((size) => size <= most);
  const rehearsed = () => {
    const shares = PRIOR.right.map((share, age) => (right[age] + share * PRIOR.tried) / (tried[age] + PRIOR.tried));
    const costs = sizes.map((size) => rehearse(size, shares, lengths.length ? lengths : [PRIOR.length], cost));
    return sizes[costs.indexOf(Math.min(...costs))];
  };
  let size = rehearsed();
  return {
    size: () => size,
    saw(corrections, settled) {
      // A slot was put to the test if all before it were right; of the last one nothing was asked.
      const tested = Math.min(settled, corrections.length - 1);
      for (let i = 0; i < tested; i++) {
        const age = Math.min(corrections[i], AGES - 1);
        right[age] += Number(i < settled - 1);
        tried[age]++;
      }
    },
    wrote(length) {
      for (const counts of [right, tried]) counts.set(counts.map((n) => n * (1 - 1 / MEMORY)));
      lengths[texts % TEXTS] = Math.min(length, LONGEST);
      texts++;
      if (texts % TEXTS === 0 || (texts & (texts - 1)) === 0) size = rehearsed();
    },
  };
}

/** What texts of these lengths cost, if a slot is right as often as `shares` say; chance is the same for all sizes. */
function rehearse(
  size: number,
  shares: readonly number[],
  lengths: readonly number[],
  cost: (slots: number) => number,
) {
  let total = 0;
  for (const [text, length] of lengths.entries())
    for (let time = 0; time < TIMES; time++) {
      const corrected = new Uint8Array(length + size);
      let settled = 0;
      while (settled < length) {
        // Where the text ends is known once it was guessed.
        const end = corrected[length - 1] ? Math.min(settled + size, length) : settled + size;
        total += cost(end - settled);
        const start = settled;
        const isRight = (slot: number) =>
          uniformAt(text, time, slot, corrected[slot]) < shares[Math.min(corrected[slot], AGES - 1)];
        while (settled < end - 1 && isRight(settled)) settled++;
        settled++;
        for (let slot = start; slot < end; slot++) corrected[slot]++;
      }
    }
  return total;
}
