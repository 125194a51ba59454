/** VAR and CoDe at the published sizes with made-up weights: seconds a picture and peak memory, on this machine. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { table } from "./report.ts";

interface Figures {
  networkSeconds: number;
  pixelSeconds: number;
  cacheBytes: number;
  peakBytes: number;
}

const CASES: [name: string, args: string[]][] = [
  ["VAR-d16", ["16"]],
  ["VAR-d30", ["30"]],
  ["CoDe, d30 drafts 8 of 10, d16 refines", ["30", "16", "8"]],
  ["CoDe, d30 drafts 6 of 10, d16 refines", ["30", "16", "6"]],
];

/** One picture of each with guidance, in a process each; `rounds` does not matter, they take minutes. */
export async function benchCode(): Promise<{ figures: Record<string, Figures>; text: string }> {
  const worker = fileURLToPath(new URL("./code-worker.js", import.meta.url));
  const figures: Record<string, Figures> = {};
  for (const [name, args] of CASES) {
    const { stdout } = await promisify(execFile)(process.execPath, ["--max-old-space-size=4096", worker, ...args]);
    figures[name] = JSON.parse(stdout);
  }
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GB`;
  const rows = Object.entries(figures).map(([name, one]) => [
    name,
    one.networkSeconds.toFixed(1),
    one.pixelSeconds.toFixed(1),
    gigabytes(one.cacheBytes),
    gigabytes(one.peakBytes),
  ]);
  return { figures, text: table(["networks", "seconds a picture", "pixels", "keys and values", "peak memory"], rows) };
}
