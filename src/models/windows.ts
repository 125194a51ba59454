/** How many tokens a pass over text should take, from what passes cost and settle. Arithmetic only. */
import type { Costs } from "./costs.ts";
import type { PackedDType } from "./showo/index.ts";

/** Windows that are measured. */
export const WINDOWS = [1, 2, 4, 8, 16, 32, 64] as const;

/** What a pass costs when the plan chooses the weights. */
export function passCosts(
  { fewRows, costs }: { fewRows: number; costs: Partial<Record<PackedDType, Costs>> },
  dtypes: readonly PackedDType[],
): Costs {
  const [first = {}, second = first] = dtypes.map((dtype) => costs[dtype]);
  return Object.fromEntries(WINDOWS.map((w) => [w, w <= fewRows ? second[w] : first[w]]));
}

/** The largest window up to which the second weights are the faster ones. */
export const fewRowsOf = (first: Costs, second: Costs): number =>
  WINDOWS.filter((w) => second[w] < first[w]).reduce<number>((most, w) => Math.max(most, w), 0);

/**
 * The window with the most settled tokens per millisecond. `settled(w)`: tokens that a pass over w guesses settles on
 * average, measured on the model or assumed.
 */
export function bestWindow(costs: Costs, settled: (window: number) => number): number {
  let best = 1;
  for (const w of WINDOWS) if (settled(w) / costs[w] > settled(best) / costs[best]) best = w;
  return best;
}

/**
 * Tokens a pass settles when each further guess is right with probability `p`: 1 + p + ... + p^(w-1), as the chain ends
 * at the first wrong guess.
 */
export const geometricSettled =
  (p: number) =>
  (window: number): number =>
    p >= 1 ? window : (1 - p ** window) / (1 - p);

/** Tokens that a pass must settle for a window to be as fast as one token at a time. */
export const breakEven = (costs: Costs, window: number): number => costs[window] / costs[1];
