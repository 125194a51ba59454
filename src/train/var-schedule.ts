/** Learning rate and weight decay over a run of VAR (VAR spec section 7). */
import { fail } from "../base/index.ts";

/** Flat for a share of the run after the warm-up, then a straight line: that share. */
const FLAT = { lin00: 0, lin0: 0.05, lin: 0.15 };

export interface VarSchedule {
  /** "lin0" is published; "lin0.8" falls to half way by that share of the run. */
  kind: "cos" | "exp" | keyof typeof FLAT | `lin${number}`;
  peak: number;
  /** Steps of the warm-up and of the whole run. */
  warmup: number;
  steps: number;
  /** Shares of the peak at the first and the last step. */
  start?: number;
  floor?: number;
  weightDecay: number;
  /** Weight decay of the last step; it moves there by half a cosine. */
  lastWeightDecay?: number;
}

/** Rate and weight decay of step `step` (0 is the first). */
export function varSchedule(schedule: VarSchedule, step: number): { lr: number; weightDecay: number } {
  const {
    kind,
    peak,
    warmup,
    steps,
    start = 0.005,
    floor = 0.01,
    weightDecay,
    lastWeightDecay = weightDecay,
  } = schedule;
  const half = (t: number) => 0.5 + 0.5 * Math.cos(Math.PI * t);
  const decay = lastWeightDecay + (weightDecay - lastWeightDecay) * half(step / (steps - 1));
  const share =
    step < warmup
      ? start + ((1 - start) * step) / warmup
      : afterWarmup(kind, (step - warmup) / (steps - 1 - warmup), floor, half);
  return { lr: peak * share, weightDecay: decay };
}

function afterWarmup(kind: VarSchedule["kind"], passed: number, floor: number, half: (t: number) => number): number {
  const line = (flat: number) => (passed < flat ? 1 : floor + ((1 - floor) * (1 - passed)) / (1 - flat));
  if (kind === "cos") return floor + (1 - floor) * half(passed);
  if (kind === "exp") return passed < 0.15 ? 1 : floor ** ((passed - 0.15) / 0.85);
  if (kind in FLAT) return line(FLAT[kind as keyof typeof FLAT]);
  const knee = Number(kind.slice(3));
  if (!(kind.startsWith("lin") && knee > 0 && knee < 1))
    fail("unknown learning-rate schedule", { expected: "cos, exp, lin, lin0, lin00 or lin0.8", got: kind });
  const middle = (1 + floor + (1 - floor) * (1 - knee)) / 2;
  return passed < knee ? 1 + ((middle - 1) * passed) / knee : floor + ((middle - floor) * (1 - passed)) / (1 - knee);
}
