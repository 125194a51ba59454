/** Whole trajectories: what training reads from a decoder. */
import { fail } from "../base/index.ts";
import type { DecodeState, Trajectory } from "./contract.ts";

/** Runs a decoder to its end and keeps every state, logits included: at full size take what you need in a loop instead. */
export async function collect<S extends DecodeState>(trajectory: Trajectory<S>): Promise<S[]> {
  const states: S[] = [];
  for await (const state of trajectory) states.push(state);
  return states;
}

/** Runs a decoder to its end and keeps the last state. */
export async function finish<S extends DecodeState>(trajectory: Trajectory<S>): Promise<S> {
  let last: S | undefined;
  for await (const state of trajectory) last = state;
  return last ?? fail("nothing was decoded", { expected: "a canvas with at least one slot" });
}

/** Rounds halves to the even neighbour, as Python does. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/**
 * Index of the point that point `index` of `count` learns to jump to, when a trajectory is cut into `segments`
 * (Show-o spec section 10). Text segments end at their own last point, image segments at the first of the next one.
 */
export function segmentEnd(index: number, count: number, segments: number, kind: "text" | "image"): number {
  if (!(Number.isInteger(segments) && segments > 0))
    fail("bad number of segments", { where: "segments", expected: "a whole number of at least 1", got: `${segments}` });
  const length = Math.max(1, kind === "text" ? roundHalfEven(count / segments) : Math.floor(count / segments));
  const next = (Math.floor(index / length) + 1) * length;
  return Math.min(kind === "text" ? next - 1 : next, count - 1);
}

/** Distillation pairs: every point but the last with the point its segment ends at. */
export const segmentPairs = <T>(points: readonly T[], segments: number, kind: "text" | "image"): { from: T; to: T }[] =>
  points.slice(0, -1).map((from, i) => ({ from, to: points[segmentEnd(i, points.length, segments, kind)] }));
