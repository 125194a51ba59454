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
