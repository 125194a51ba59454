/** Training runs in a folder, as the studio reads them: names, lines of metrics, sample sheets. Writes nothing. */
import { type Dirent, existsSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";

export interface RunInfo {
  readonly name: string;
  /** Milliseconds since 1970 of its last metrics. */
  readonly changed: number;
}

export interface RunPart {
  /** Lines of metrics.jsonl behind the ones that were asked for before. */
  readonly entries: readonly unknown[];
  /** Whole lines of the file. */
  readonly lines: number;
  /** Pictures below its folder `samples`, the oldest first. */
  readonly samples: readonly string[];
}

const METRICS = "metrics.jsonl";
/** Larger logs are cut: a page cannot draw more. */
const MAX_BYTES = 64 * 2 ** 20;

const entriesIn = (folder: string): Promise<Dirent[]> => readdir(folder, { withFileTypes: true }).catch(() => []);

/** The runs in `folder`, itself or the folders in it; the one that changed last comes first. */
export async function listRuns(folder: string): Promise<RunInfo[]> {
  const below = (await entriesIn(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found: RunInfo[] = [];
  for (const name of [".", ...below]) {
    const changed = await stat(join(folder, name, METRICS)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (changed !== undefined) found.push({ name: name === "." ? basename(folder) : name, changed });
  }
  return found.sort((a, b) => b.changed - a.changed);
}

/** The folder of a run by its name; undefined for what is none, or lies elsewhere. */
export function runFolder(folder: string, name: string): string | undefined {
  if (name !== basename(name) || name === ".." || name === "." || name.includes("\0")) return undefined;
  const within = join(folder, name);
  if (existsSync(join(within, METRICS))) return within;
  return name === basename(folder) && existsSync(join(folder, METRICS)) ? folder : undefined;
}

/** What a run logged behind its line `after`. A line that is being written is left for the next time. */
export async function readRun(run: string, after = 0): Promise<RunPart> {
  const file = await open(join(run, METRICS), "r");
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, MAX_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const lines = bytes.subarray(0, bytesRead).toString("utf8").split("\n").slice(0, -1);
    return { entries: lines.slice(after).flatMap(parsed), lines: lines.length, samples: await samplesOf(run) };
  } finally {
    await file.close();
  }
}

function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

async function samplesOf(run: string): Promise<string[]> {
  const paths = (await readdir(join(run, "samples"), { recursive: true }).catch(() => [])) as string[];
  return paths
    .filter((path) => path.endsWith(".png"))
    .map((path) => path.split(sep).join("/"))
    .sort();
}

/** The file of a sample that `readRun` named; undefined for any other path. */
export const sampleFile = async (run: string, sample: string): Promise<string | undefined> =>
  (await samplesOf(run)).includes(sample) ? join(run, "samples", sample) : undefined;
