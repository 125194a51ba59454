/**
 * What was measured of a converted model on this machine: which weights run few tokens best, and how many tokens a round
 * of text decoding should correct. Kept on disk, because it depends on both.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { writeJson } from "../files/index.ts";
import type { Costs } from "./costs.ts";
import { home } from "./home.ts";
import type { PackedDType } from "./showo/index.ts";

export { betweenPoints, type Costs } from "./costs.ts";

export interface Plan {
  /** Passes of at most so many tokens run on the last of the dtypes. */
  fewRows: number;
  /** Tokens that a round of text decoding corrects at once; 1: one at a time. */
  textBlock: number;
  /** What it was decided by, for each dtype. */
  costs: Partial<Record<PackedDType, Costs>>;
}

/** The same model on the same processors. */
function planFile(folder: string, dtypes: readonly PackedDType[]): string {
  const words = [folder, dtypes.join("+"), cpus()[0]?.model ?? "", availableParallelism()].join(" ");
  return join(home(), "plans", `${words.replace(/[^\w.+-]+/g, "-").slice(-200)}.json`);
}

/** What was measured, if it was. */
export function readPlan(folder: string, dtypes: readonly PackedDType[]): Plan | undefined {
  const path = planFile(folder, dtypes);
  if (!existsSync(path)) return undefined;
  try {
    const plan = JSON.parse(readFileSync(path, "utf8")) as Plan;
    return plan.fewRows >= 0 && plan.textBlock >= 1 ? plan : undefined;
  } catch {
    return undefined; // measured again when asked
  }
}

export async function writePlan(folder: string, dtypes: readonly PackedDType[], plan: Plan): Promise<void> {
  await mkdir(join(home(), "plans"), { recursive: true });
  await writeJson(planFile(folder, dtypes), plan);
}

/** Windows that are measured. */
export const WINDOWS = [1, 2, 4, 8, 16, 32, 64] as const;

/** What a pass costs when the plan chooses the weights. */
export function passCosts({ fewRows, costs }: Pick<Plan, "fewRows" | "costs">, dtypes: readonly PackedDType[]): Costs {
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
