/** Where uniform numbers come from: a key, never a stream, so batches may be split and passes repeated. */
import { fail, uniformAt } from "../base/index.ts";

/** A uniform number in [0, 1) for one slot of one row in one pass. */
export type Noise = (pass: number, row: number, slot: number) => number;

/** Keeps the numbers of one seed apart by what they are for. */
const PURPOSES = { sample: 1, remask: 2, guess: 3 } as const;
export type Purpose = keyof typeof PURPOSES;

/**
 * Counter-based noise. Row r draws from seed + r, so picture r of seed s is picture 0 of seed s + r; an array gives each
 * row its own seed.
 */
export function seeded(seed: number | readonly number[], purpose: Purpose): Noise {
  const use = PURPOSES[purpose];
  const seeds = typeof seed === "number" ? [seed] : seed;
  if (!seeds.every(Number.isSafeInteger)) fail("a seed is not a whole number", { where: "seed", got: `${seeds}` });
  if (typeof seed === "number") return (pass, row, slot) => uniformAt(seed + row, use, pass, slot);
  return (pass, row, slot) => {
    if (row >= seed.length) fail("fewer seeds than rows", { expected: `a seed for row ${row}`, got: `${seed.length}` });
    return uniformAt(seed[row], use, pass, slot);
  };
}

/** Recorded uniforms: one array of rows x slots numbers for each pass. */
export const recorded =
  (passes: readonly ArrayLike<number>[], slots: number): Noise =>
  (pass, row, slot) =>
    passes[pass - 1][row * slots + slot];
