/** How far a conversion is, on disk, so that one that was killed goes on with the tensor after the last whole layer. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { f32, type NdArray } from "../base/index.ts";
import { readSafetensors, writeJson, writeSafetensors } from "../files/index.ts";
import type { StorageChoice } from "../models/showo/index.ts";
import type { DataState } from "./data-file.ts";

export interface LayerReport {
  layer: number;
  dtype: string;
  /** Relative error of what the layer adds to its input. */
  error: number;
  choice: StorageChoice;
}

export interface Journal {
  /** What is converted and how; another conversion starts anew. */
  settings: string;
  /** Steps that are done. */
  done: number;
  data: Record<string, DataState>;
  report: LayerReport[];
  /** Activations after the last layer that is done. */
  activations: NdArray<"float32">[];
}

const FILE = "journal.json";
const activationsFile = (done: number): string => `activations-${done}.safetensors`;

/** What an earlier run of the same conversion left, or nothing. */
export function readJournal(folder: string, settings: string): Journal | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  try {
    const noted = JSON.parse(readFileSync(path, "utf8")) as Omit<Journal, "activations">;
    if (noted.settings !== settings) return undefined;
    const file = readSafetensors(join(folder, activationsFile(noted.done)));
    const activations = file.names.map((name) => file.float32(name));
    file.close();
    return { ...noted, activations };
  } catch {
    return undefined; // damaged: start anew
  }
}

/** Notes where a conversion stands. The data files must be on disk already. */
export async function writeJournal(folder: string, { activations, ...noted }: Journal): Promise<void> {
  const tensors = Object.fromEntries(activations.map(({ shape, data }, i) => [`row${i}`, f32(shape, data)]));
  await writeSafetensors(join(folder, activationsFile(noted.done)), tensors);
  await writeJson(join(folder, FILE), noted);
  for (const name of readdirSync(folder))
    if (/^activations-\d+\./.test(name) && name !== activationsFile(noted.done)) await rm(join(folder, name));
}

/** Removes the notes of a conversion that is done. */
export async function removeJournal(folder: string): Promise<void> {
  for (const name of readdirSync(folder))
    if (name === FILE || /^activations-\d+\./.test(name)) await rm(join(folder, name));
}
