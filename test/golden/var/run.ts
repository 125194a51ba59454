/** Runs the cases of a golden folder of VAR and CoDe. */
import { fail } from "fewstep/base";
import type { Comparison } from "../compare.ts";
import type { VarChecks } from "./checks.ts";
import { drawings } from "./drawing.ts";
import { openVarFolder, type VarFolder } from "./folder.ts";
import { type VarEntry, type VarManifest, varManifest } from "./manifest.ts";
import { networks } from "./networks.ts";
import { trainings } from "./training.ts";

const CHECKS: VarChecks = { ...networks, ...drawings, ...trainings };

/** Cases of published sizes: gigabytes of weights, minutes. */
const isSlow = ({ kind }: VarEntry): boolean => kind.endsWith("_slow");

export interface VarRunOptions {
  filter: string;
  slow: boolean;
  summary(comparisons: readonly Comparison[]): string;
  onResult?(result: { id: string; ok: boolean; report: string }): void;
}

/** Whether a parsed manifest is of this layout. */
export const isVarManifest = (json: unknown): boolean =>
  typeof json === "object" && json !== null && "format" in json && "cases" in json;

/** Errors: a manifest that does not fit its schema. Everything else is a failed case. */
export async function runVarGolden(path: string, json: unknown, options: VarRunOptions) {
  const folder = openVarFolder(path, parsed(json, path));
  const results: { id: string; ok: boolean; report: string }[] = [];
  try {
    const wanted = folder.manifest.cases.filter((entry) => entry.id.includes(options.filter));
    if (!wanted.length) fail("no case has this in its id", { where: "--filter", got: options.filter });
    for (const entry of wanted) {
      if (isSlow(entry) && !options.slow) continue;
      const result = await runCase(folder, entry, options);
      options.onResult?.(result);
      results.push(result);
    }
    return results;
  } finally {
    await folder.dispose();
  }
}

function parsed(json: unknown, where: string): VarManifest {
  const result = varManifest.safeParse(json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  return fail("this is not a manifest of golden vectors", {
    where,
    code: "BAD_FILE",
    got: `${path.join(".")}: ${message}`,
  });
}

async function runCase(folder: VarFolder, entry: VarEntry, { summary }: VarRunOptions) {
  const { id, kind } = entry;
  try {
    const check = CHECKS[kind] ?? fail("unknown kind of case", { expected: Object.keys(CHECKS).join(", "), got: kind });
    const c = folder.open(entry);
    await check(c, folder);
    const missed = Object.keys(entry.expected).filter((name) => !c.comparisons.some(({ field }) => field === name));
    const problems = [
      ...c.comparisons.flatMap(({ field, problem }) => (problem ? [`${field}: ${problem}`] : [])),
      ...(missed.length ? [`recorded but not compared: ${missed.join(", ")}`] : []),
    ];
    return { id, ok: !problems.length, report: problems.join("; ") || summary(c.comparisons) };
  } catch (error) {
    return { id, ok: false, report: (error as Error).message };
  }
}
