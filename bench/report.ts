/** What every benchmark prints with its figures, and how they get into docs/RESULTS.md. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import { writeAtomic } from "fewstep/files";

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Machine, versions, date, commit, and how busy the machine was. */
export function circumstances(): string {
  const ort = JSON.parse(
    readFileSync(new URL("../../node_modules/onnxruntime-node/package.json", import.meta.url), "utf8"),
  ).version;
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const date = new Date().toISOString().slice(0, 10);
  const flags = /^flags.*$/m.exec(readCpuInfo())?.[0] ?? "";
  const wide = ["avx512f", "avx512_vnni", "amx_int8"].filter((flag) => flags.includes(flag)).join(" ");
  return `${os.cpus()[0]?.model.trim()} (${wide || os.arch()}), ${os.availableParallelism()} cores, Node ${process.versions.node}, onnxruntime-node ${ort}, load ${os.loadavg()[0].toFixed(1)}, ${date}, commit ${commit}`;
}

function readCpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Puts text between `<!-- NAME -->` and `<!-- /NAME -->` of a Markdown file. */
export async function writeSection(file: string, name: string, text: string): Promise<void> {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const page = readFileSync(file, "utf8");
  const [start, end] = [page.indexOf(open), page.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`${file}: expected the lines ${open} and ${close}`);
  await writeAtomic(file, `${page.slice(0, start + open.length)}\n${text}\n${page.slice(end)}`);
}
