/** Learning rate as a function of the step. Knows no optimiser. */
import { fail } from "../base/index.ts";

export interface Schedule {
  /** After the warm-up: constant, a straight line down, or half a cosine down. */
  readonly kind: "constant" | "linear" | "cosine";
  /** The highest rate. */
  readonly peak: number;
  /** Steps over which the rate rises from 0 to `peak`; the first step already has 1/warmup of it. */
  readonly warmup?: number;
  /** Rate of the last step, for kinds that fall. */
  readonly floor?: number;
}

/** Rate of step `step` (0 is the first) of `steps`. */
export function learningRate({ kind, peak, warmup = 0, floor = 0 }: Schedule, step: number, steps: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  if (kind === "constant") return peak;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - 1 - warmup));
  const share = kind === "linear" ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
  return floor + (peak - floor) * share;
}

/** Refuses what cannot be followed: rates that are negative or not numbers, a warm-up longer than the run. */
export function checkSchedule({ kind, peak, warmup = 0, floor = 0 }: Schedule, steps: number): void {
  const bad = (what: string, expected: string, got: unknown) =>
    fail(`${what} of the learning-rate schedule`, { expected, got: `${got}` });
  if (!["constant", "linear", "cosine"].includes(kind)) bad("kind", "constant, linear or cosine", kind);
  if (!(peak > 0 && peak < Number.POSITIVE_INFINITY)) bad("peak", "a positive number", peak);
  if (!(floor >= 0 && floor <= peak)) bad("floor", `a number from 0 to ${peak}`, floor);
  if (!(Number.isInteger(warmup) && warmup >= 0 && warmup <= steps)) bad("warm-up", `0 to ${steps} steps`, warmup);
}
