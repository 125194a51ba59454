/**
 * Checkpoints on disk: `step-00001000/` holds `state.safetensors` (parameters, moments, averages) and `run.json` (step
 * and resolved config). A folder is renamed into place when it is complete, so a kill at any moment leaves the one
 * before. Knows nothing of how the arrays are used.
 */
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fail, type NdArray } from "../base/index.ts";
import { readSafetensors, writeJson, writeSafetensors } from "../files/index.ts";
import { isTeachers } from "./frozen-teacher.ts";
import type { Trainer, TrainerState } from "./step.ts";

/** What was asked for, complete: saved in every checkpoint and compared when a run goes on. JSON values only. */
export type RunConfig = Readonly<Record<string, unknown>>;

export interface Checkpoint {
  readonly dir: string;
  readonly step: number;
  readonly config: RunConfig;
}

const NAME = /^step-(\d{8,})$/;
const PARTIAL = ".partial";
const STATE = "state.safetensors";
const RUN = "run.json";

export const stepName = (step: number) => `step-${String(step).padStart(8, "0")}`;

/** Folders of complete checkpoints, oldest first. */
async function list(root: string): Promise<{ dir: string; step: number }[]> {
  const names = await readdir(root).catch(() => []);
  return names
    .flatMap((name) => {
      const step = NAME.exec(name)?.[1];
      return step ? [{ dir: join(root, name), step: Number(step) }] : [];
    })
    .sort((a, b) => a.step - b.step);
}

/** Writes a checkpoint under `root` and removes all but the last `keep`. Returns its folder. */
export async function saveCheckpoint(root: string, state: TrainerState, config: RunConfig, keep = 2): Promise<string> {
  const dir = join(root, stepName(state.step));
  const partial = dir + PARTIAL;
  await mkdir(partial, { recursive: true });
  try {
    await writeSafetensors(join(partial, STATE), state.arrays);
    await writeJson(join(partial, RUN), { step: state.step, config });
    await rename(partial, dir);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  for (const old of (await list(root)).slice(0, -keep)) await rm(old.dir, { recursive: true, force: true });
  return dir;
}

/** The newest complete checkpoint under `root`; leftovers of a killed save are removed. */
export async function latestCheckpoint(root: string): Promise<Checkpoint | undefined> {
  for (const name of await readdir(root).catch(() => []))
    if (name.endsWith(PARTIAL)) await rm(join(root, name), { recursive: true, force: true });
  const newest = (await list(root)).at(-1);
  if (!newest) return undefined;
  const path = join(newest.dir, RUN);
  try {
    const { step, config } = JSON.parse(await readFile(path, "utf8"));
    if (step === newest.step && typeof config === "object" && config) return { ...newest, config };
  } catch (cause) {
    fail("the checkpoint cannot be read", { where: path, got: `${cause}`, cause, code: "BAD_FILE" });
  }
  return fail("this does not describe the checkpoint it lies in", { where: path, code: "BAD_FILE" });
}

/** Puts a checkpoint back into a trainer of the same model. */
export function loadCheckpoint({ dir, step }: Checkpoint, trainer: Trainer): void {
  const file = readSafetensors(join(dir, STATE));
  try {
    trainer.load(step, (name) => file.get(name));
  } finally {
    file.close();
  }
}

/** Refuses to go on from a checkpoint of another config, naming the settings that differ. */
export function checkSameConfig(checkpoint: Checkpoint, config: RunConfig): void {
  const [before, now] = [settings(checkpoint.config), settings(config)];
  const differ = [...new Set([...before.keys(), ...now.keys()])].filter((key) => before.get(key) !== now.get(key));
  if (!differ.length) return;
  const show = (of: Map<string, string>) => differ.map((key) => `${key} = ${of.get(key) ?? "(not set)"}`).join(", ");
  fail("the checkpoint was written with other settings", {
    where: checkpoint.dir,
    expected: show(before),
    got: show(now),
    hint: "Use the same settings, another output folder, or allow the change (otherConfig).",
  });
}

/** Every value of a config by its path: "optimizer.betas.0" to "0.9". */
function settings(config: unknown, path = "", into = new Map<string, string>()): Map<string, string> {
  if (typeof config === "object" && config !== null)
    for (const [key, value] of Object.entries(config)) settings(value, path ? `${path}.${key}` : key, into);
  else if (config !== undefined) into.set(path, JSON.stringify(config));
  return into;
}

export interface ExportOptions {
  /** Moving averages rather than the last values. Default: where the checkpoint has them. */
  ema?: boolean;
  dtype?: "float16";
}

/** Writes what a checkpoint folder has learnt as one safetensors file for inference, without frozen teachers. Returns the names. */
export async function exportWeights(dir: string, to: string, options: ExportOptions = {}): Promise<string[]> {
  const { ema = true, dtype } = options;
  const file = readSafetensors(join(dir, STATE));
  try {
    const weights: Record<string, NdArray> = {};
    for (const stored of file.names) {
      const [, name] = /^params\/(.*)$/.exec(stored) ?? [];
      if (name && !isTeachers(name)) weights[name] = file.get(ema && file.has(`ema/${name}`) ? `ema/${name}` : stored);
    }
    if (!Object.keys(weights).length) fail("no weights to export", { where: dir, code: "BAD_INPUT" });
    await writeSafetensors(to, weights, {}, { dtype });
    return Object.keys(weights);
  } finally {
    file.close();
  }
}
