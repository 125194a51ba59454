/** Times works in turns, and says what every benchmark says with its figures: machine, versions, date, commit, load. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { commitOf } from "fewstep/evaluate";
import { writeAtomic } from "fewstep/files";

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Median milliseconds of each work, run in turns so that a busy moment meets all of them; a first turn is not counted. */
export async function inTurns(rounds: number, works: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  const times: number[][] = works.map(() => []);
  for (let round = -1; round < rounds; round++)
    for (const [i, work] of works.entries()) {
      const start = performance.now();
      await work();
      if (round >= 0) times[i].push(performance.now() - start);
    }
  return times.map(median);
}

/** Processor, versions, load of the last minute, date, commit. */
export function circumstances(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const flags = /^flags.*$/m.exec(readIfThere("/proc/cpuinfo"))?.[0].split(" ") ?? [];
  const wide = ["avx2", "avx512f", "avx512_vnni", "amx_tile"].filter((flag) => flags.includes(flag)).join(" ");
  return [
    `${os.cpus()[0]?.model.trim()} (${wide || os.arch()})`,
    `${os.availableParallelism()} cores`,
    `Node ${process.versions.node}`,
    `onnxruntime-node ${version}`,
    `load ${os.loadavg()[0].toFixed(1)}`,
    new Date().toISOString().slice(0, 10),
    `commit ${commitOf() ?? "unknown"}`,
  ].join(", ");
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Bytes in GB, two digits. */
export const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(2);

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Puts text between `<!-- NAME -->` and `<!-- /NAME -->` of a Markdown file; where they are not, below a new `title`. */
export async function writeSection(file: string, name: string, text: string, title?: string): Promise<void> {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  let page = readFileSync(file, "utf8");
  if (title && !page.includes(open)) page = `${page.trimEnd()}\n\n## ${title}\n\n${open}\n${close}\n`;
  const [start, end] = [page.indexOf(open), page.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`${file}: expected the lines ${open} and ${close}`);
  await writeAtomic(file, `${page.slice(0, start + open.length)}\n${text}\n${page.slice(end)}`);
}
