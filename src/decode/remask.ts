/** Which cells a masked decoder opens again (Show-o spec section 5, steps 3 to 6), in float32 like the published models. */
import type { Schedule } from "./schedules.ts";

const f = Math.fround;
const TINY = f(1e-20);

/** Sureness of a cell that was decided before this pass. */
export const KNOWN = f(3.4028234663852886e38);

/** Gumbel noise of a uniform number. */
export const gumbel = (u: number): number => f(-f(Math.log(Math.max(f(-f(Math.log(Math.max(f(u), TINY)))), TINY))));

/** ln(p) + temperature * gumbel(u): cells with the lowest score are masked again. */
export const remaskScore = (p: number, temperature: number, u: number): number =>
  f(f(Math.log(Math.max(f(p), TINY))) + f(f(temperature) * gumbel(u)));

/** floor(slots * gamma(t)) before it is clamped: at t = 1 the cosine gives -1. */
export const scheduledLength = (gamma: Schedule, t: number, slots: number): number =>
  Math.floor(f(slots * f(gamma(f(t)))));

/** The score below which a cell is masked again, so that `count` cells are where no scores tie; ties stay decided. */
export const cutoff = (score_L: Float32Array, count: number): number => score_L.slice().sort()[count] ?? -Infinity;
