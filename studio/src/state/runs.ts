/** Training runs: those of the server, or a metrics.jsonl that a person brings. */
import type { Curves } from "../parts/chart.tsx";

export interface RunInfo {
  readonly name: string;
  /** Milliseconds since 1970 of its last change. */
  readonly changed: number;
}

export type Entry = Readonly<Record<string, unknown>>;

export interface RunPart {
  readonly entries: readonly Entry[];
  /** Lines of the log so far; the next question begins behind them. */
  readonly lines: number;
  readonly samples: readonly string[];
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`the server answered with status ${response.status}`);
  return response.json();
}

export const listRuns = async (): Promise<readonly RunInfo[]> => (await get<{ runs: RunInfo[] }>("studio/runs")).runs;
export const readRun = (name: string, after: number): Promise<RunPart> =>
  get(`studio/runs/${encodeURIComponent(name)}?after=${after}`);
export const sampleUrl = (name: string, sample: string): string =>
  `studio/runs/${encodeURIComponent(name)}/samples/${sample.split("/").map(encodeURIComponent).join("/")}`;

/** Lines of a metrics.jsonl; a last line that is being written is left out. */
export function entriesOf(text: string): Entry[] {
  return text.split("\n").flatMap((line) => {
    try {
      const entry = JSON.parse(line);
      return entry && typeof entry === "object" ? [entry] : [];
    } catch {
      return [];
    }
  });
}

const MOST_POINTS = 800;

/** One chart for losses, one for each other number that is logged. */
export function curvesOf(entries: readonly Entry[]): Curves[] {
  const stepped = entries.filter(({ step }) => typeof step === "number");
  const names = new Set(
    stepped.flatMap((entry) => Object.keys(entry).filter((name) => name !== "step" && typeof entry[name] === "number")),
  );
  const apart = /^(lr|gradNorm|samplesPerSecond|.*[pP]erSecond|seconds|time|psnr|perplexity|accuracy.*)$/;
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const title = apart.test(name) ? name : "Losses";
    groups.set(title, [...(groups.get(title) ?? []), name]);
  }
  const every = Math.max(1, Math.ceil(stepped.length / MOST_POINTS));
  const shown = stepped.filter((_, i) => i % every === 0 || i === stepped.length - 1);
  return [...groups].map(([title, lines]) => ({
    title,
    steps: shown.map(({ step }) => step as number),
    lines: lines.map((name) => ({
      name,
      values: shown.map((entry) => (typeof entry[name] === "number" ? (entry[name] as number) : null)),
    })),
  }));
}
