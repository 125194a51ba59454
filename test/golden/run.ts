/** Runs the cases of a golden folder against the code that users run, and words what came out. */
import { fail } from "fewstep/base";
import type { Case } from "./case.ts";
import type { Check, Checks } from "./checks.ts";
import type { Comparison } from "./compare.ts";
import { type Folder, openFolder } from "./folder.ts";
import { distill } from "./groups/distill.ts";
import { forward } from "./groups/forward.ts";
import { image } from "./groups/image.ts";
import { magvit } from "./groups/magvit.ts";
import { mmu } from "./groups/mmu.ts";
import { prompting } from "./groups/prompting.ts";
import { realsize } from "./groups/realsize.ts";
import { sampling } from "./groups/sampling.ts";
import { textToImage } from "./groups/text-to-image.ts";
import { training } from "./groups/training.ts";
import { type CaseEntry, readManifestJson } from "./manifest.ts";
import { isVarManifest, runVarGolden } from "./var/run.ts";

const GROUPS: Readonly<Record<string, Checks>> = {
  prompting,
  forward,
  training,
  sampling,
  t2i: textToImage,
  mmu,
  magvit,
  image,
  distill,
  realsize,
};

export interface CaseResult {
  readonly id: string;
  readonly ok: boolean;
  /** What was compared and how far off it was, or what is wrong. */
  readonly report: string;
}

export interface RunOptions {
  /** Part of the ids to run. */
  filter?: string;
  /** Run cases of published sizes too, which take gigabytes and minutes. */
  slow?: boolean;
  onResult?(result: CaseResult): void;
}

/**
 * A folder of Show-o or of VAR. Errors: no such folder, not a golden folder, a filter that fits no case. Everything else
 * is a failed case.
 */
export async function runGolden(path: string, options: RunOptions = {}): Promise<CaseResult[]> {
  const { filter = "", slow = false, onResult } = options;
  const json = readManifestJson(path);
  if (isVarManifest(json)) return runVarGolden(path, json, { filter, slow, summary, onResult });
  const folder = openFolder(path);
  try {
    const entries = folder.entries.filter(({ id }) => id.includes(filter));
    if (!entries.length) fail("no case has this in its id", { where: "--filter", got: filter });
    const results: CaseResult[] = [];
    for (const entry of entries) {
      const result = await runCase(folder, entry);
      onResult?.(result);
      results.push(result);
    }
    return results;
  } finally {
    await folder.dispose();
  }
}

async function runCase(folder: Folder, entry: CaseEntry): Promise<CaseResult> {
  const { id } = entry;
  try {
    const check = checkFor(entry);
    const c = folder.open(entry);
    await check(c, folder);
    const problems = problemsOf(c);
    return { id, ok: !problems.length, report: problems.join("; ") || summary(c.comparisons) };
  } catch (error) {
    return { id, ok: false, report: (error as Error).message };
  }
}

function checkFor({ id, group }: CaseEntry): Check {
  const checks =
    GROUPS[group] ?? fail("unknown group of cases", { expected: Object.keys(GROUPS).join(", "), got: group });
  const key = Object.keys(checks).find((beginning) => id.startsWith(beginning));
  return key === undefined ? fail(`unknown case in group ${group}`, { got: id }) : checks[key];
}

function problemsOf(c: Case): string[] {
  const missed = c.missed();
  return [
    ...c.comparisons.flatMap(({ field, problem }) => (problem ? [`${field}: ${problem}`] : [])),
    ...(missed.length ? [`recorded but not compared: ${missed.join(", ")}`] : []),
  ];
}

/** "exact: ids, states; within tolerance: logits; largest error 3.1e-6 of 2.0e-4 (logits)". */
function summary(comparisons: readonly Comparison[]): string {
  const exact = comparisons.filter((c) => c.exact);
  const near = comparisons.filter((c) => !c.exact);
  const worst = near.reduce((a, b) => (b.ratio > a.ratio ? b : a), near[0]);
  return [
    ...(exact.length ? [`exact: ${names(exact)}`] : []),
    ...(near.length ? [`within tolerance: ${names(near)}`] : []),
    ...(worst ? [`largest error ${brief(worst.error)} of ${brief(worst.allowed)} (${worst.field})`] : []),
  ].join("; ");
}

const MOST_NAMES = 8;

function names(comparisons: readonly Comparison[]): string {
  const fields = comparisons.map((c) => c.field);
  const more = fields.length - MOST_NAMES;
  return more > 1 ? `${fields.slice(0, MOST_NAMES).join(", ")} and ${more} more` : fields.join(", ");
}

const brief = (x: number): string => (x === 0 ? "0" : x.toExponential(1));
