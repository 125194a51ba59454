/** Converted models: which dtypes a folder holds, which of them to load, and the programs they are. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/index.ts";
import type { Host, Program } from "../runtime/index.ts";
import { availableMemory, checkMemory, estimateMemory } from "./memory.ts";
import type { ModelConfig } from "./model-config.ts";
import { readPlan } from "./plan.ts";
import { DTYPES, type PackedDType, type PackedShowo, packedShowo, partFile } from "./showo/index.ts";
import { passCosts } from "./windows.ts";

/**
 * What to load of a converted model: one dtype; `mixed` reads pictures and draws at q8 and answers at q4; `auto` is mixed
 * where both are there and fit, else the most exact that fits.
 */
export type DTypeChoice = PackedDType | "mixed" | "auto";

const BY_EXACTNESS: readonly PackedDType[] = ["fp32", "fp16", "q8", "q4"];
/** Passes of at most so many tokens are faster at q4 on every machine that was measured. */
const FEW_ROWS = 4;

/** The dtypes that a folder holds; none: it is no converted model. */
export const packedDTypes = (folder: string): PackedDType[] =>
  BY_EXACTNESS.filter((dtype) => existsSync(join(folder, partFile("body", dtype))));

/** The dtypes to load. Errors: NOT_FOUND for one that the folder lacks, OUT_OF_MEMORY. */
export function chooseDTypes(folder: string, config: ModelConfig, choice: DTypeChoice = "auto"): PackedDType[] {
  const there = packedDTypes(folder);
  const wanted: PackedDType[] = choice === "mixed" ? ["q8", "q4"] : choice === "auto" ? [] : [choice];
  const missing = wanted.find((dtype) => !there.includes(dtype));
  if (missing !== undefined)
    fail(`this model was not converted to ${missing}`, {
      where: folder,
      code: "NOT_FOUND",
      expected: there.join(", "),
      hint: `Run fewstep convert with --dtype ${missing}.`,
    });
  const estimate = (dtypes: readonly PackedDType[]) =>
    estimateMemory(folder, config.showo, dtypes, config.magvit.resolution);
  const unchecked = process.env.FEWSTEP_MEMORY === "unchecked";
  const fits = (dtypes: readonly PackedDType[]) => unchecked || estimate(dtypes).total <= availableMemory();
  if (wanted.length) {
    const smaller = there.find((dtype) => fits([dtype]) && estimate([dtype]).total < estimate(wanted).total);
    if (!unchecked) checkMemory(folder, estimate(wanted), smaller);
    return wanted;
  }
  const mixed = (["q8", "q4"] as const).filter((dtype) => there.includes(dtype));
  if (mixed.length === 2 && fits(mixed)) return mixed;
  const best = (mixed.length ? mixed : there).find((dtype) => fits([dtype]));
  if (best) return [best];
  checkMemory(folder, estimate([there.at(-1)!]), undefined);
  return [there.at(-1)!];
}

/** The programs of a converted model, each opened by path when first needed. */
export function openPacked(
  folder: string,
  config: ModelConfig,
  dtypes: readonly PackedDType[],
  host: Host,
): PackedShowo {
  const plan = readPlan(folder, dtypes);
  const few = plan?.fewRows ?? FEW_ROWS;
  const opened = new Map<string, Promise<Program>>();
  const open = (path: string, dtype: PackedDType): Promise<Program> => {
    // Without prepacking a float32 model is a mapped file, ready at once and held once.
    const prepacking = DTYPES[dtype].heads !== "fp32";
    const program = opened.get(path) ?? host.compile(join(folder, path), { prepacking });
    opened.set(path, program);
    return program;
  };
  return packedShowo(config.showo, {
    host,
    passCosts: plan && passCosts(plan, dtypes),
    open(part, rows) {
      const dtype = part === "body" && rows <= few ? dtypes.at(-1)! : dtypes[0];
      return open(partFile(part, dtype), dtype);
    },
  });
}
