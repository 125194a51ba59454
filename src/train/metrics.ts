/** The record of a run: one JSON object per line in `metrics.jsonl`. Knows no model. */
import { appendFile, readFile } from "node:fs/promises";
import { writeAtomic } from "../files/index.ts";

/** Means since the record before; `step` counts updates done. */
export type Metrics = { readonly step: number } & Readonly<Record<string, number>>;

export const appendMetrics = (path: string, metrics: Metrics): Promise<void> =>
  appendFile(path, JSON.stringify(metrics) + "\n");

/** Records up to `step`. A last line cut short by a kill, and what came after the checkpoint, are left out. */
export async function readMetrics(path: string, step = Number.POSITIVE_INFINITY): Promise<Metrics[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const complete = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1);
  return complete.map((line) => JSON.parse(line) as Metrics).filter((m) => m.step <= step);
}

/** Cuts the record back to `step`, before a run goes on from there. */
export async function rewindMetrics(path: string, step: number): Promise<void> {
  const kept = await readMetrics(path, step);
  await writeAtomic(path, kept.map((m) => JSON.stringify(m) + "\n").join(""));
}
