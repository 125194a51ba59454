/**
 * VAR and CoDe at the published sizes with made-up weights: seconds a picture and peak memory, against PyTorch in turns.
 * Environment: CODE_FOLDER, where converted networks are kept (3 GB; default: a temporary folder); FULL_PYTHON, a Python
 * with torch (without: fewstep alone); CODE_PEERS, which of R,R16,B (default all); CODE_REFERENCE, a checkout of CoDe: it is
 * asked too, as C and under autocast as C16 (see bench/pytorch/checkouts.py).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Answer, type Peer, startPeer } from "./peer.ts";
import { gigabytes, median, table } from "./report.ts";

interface Drawn extends Answer {
  pixelMs?: number;
  cacheBytes?: number;
}

/** The small network comes first, so that its peak memory is its own. */
const CASES = {
  "VAR-d16": { depths: [16] },
  "VAR-d30": { depths: [30] },
  "CoDe, d30 drafts 8 of 10, d16 refines": { depths: [30, 16], drafted: 8 },
  "CoDe, d30 drafts 6 of 10, d16 refines": { depths: [30, 16], drafted: 6 },
};
type Case = keyof typeof CASES;
const NAMES = Object.keys(CASES) as Case[];
const GUIDANCE = 1.5;

export interface CodeFigures {
  /** Milliseconds of the networks, by case and who. */
  ms: Record<string, Record<string, number>>;
  pixelMs: number;
  /** Bytes of keys and values, by case: ours at float32. */
  cacheBytes: Record<string, number>;
  /** Most bytes resident, with the small network alone and with both. */
  memory: Record<string, { small: number; both: number }>;
  /** Times of a peer over ours on 8 bits, measured in turns. */
  ratios: Record<string, Record<string, number>>;
}

/** One other at a time beside ours on 8 bits, in turns: all at once would not fit. */
export async function benchCode({ rounds }: { rounds: number }): Promise<{ figures: CodeFigures; text: string }> {
  const worker = fileURLToPath(new URL("./code-worker.js", import.meta.url));
  const script = fileURLToPath(new URL("../../bench/pytorch/var_peers.py", import.meta.url));
  const checkouts = fileURLToPath(new URL("../../bench/pytorch/checkouts.py", import.meta.url));
  const [python, reference] = [process.env.FULL_PYTHON, process.env.CODE_REFERENCE];
  const wanted = python ? (process.env.CODE_PEERS ?? `B,R16,R${reference ? ",C16,C" : ""}`).split(",") : [];
  const argsOf = (peer: string): string[] => {
    if (!peer.startsWith("C")) return [script, "--peer", peer];
    if (!reference) throw new Error("set CODE_REFERENCE: see the head of bench/code.ts");
    return [checkouts, "code", reference, ...(peer === "C16" ? ["--bfloat16"] : [])];
  };
  const temporary = process.env.CODE_FOLDER ? undefined : mkdtempSync(join(tmpdir(), "fewstep-code-"));
  const folder = temporary ?? process.env.CODE_FOLDER!;
  const own = (dtype: string) =>
    startPeer(dtype, process.execPath, ["--max-old-space-size=4096", worker, dtype, folder]);
  const others: (() => Promise<Peer>)[] = [
    () => own("fp32"),
    ...wanted.map((peer) => () => startPeer(peer, python!, argsOf(peer))),
  ];
  const figures: CodeFigures = { ms: {}, pixelMs: 0, cacheBytes: {}, memory: {}, ratios: {} };
  const ours = await own("q8");
  try {
    for (const start of others) {
      const other = await start();
      try {
        await compare(figures, [ours, other], rounds);
      } finally {
        other.end();
      }
    }
    const drawn: Drawn = await ours.ask({ depths: [16], guidance: 0, pixels: true });
    figures.pixelMs = drawn.pixelMs!;
  } finally {
    ours.end();
    if (temporary) rmSync(temporary, { recursive: true });
  }
  return { figures, text: show(figures) };
}

async function compare(figures: CodeFigures, peers: readonly [ours: Peer, other: Peer], rounds: number): Promise<void> {
  for (const name of NAMES) {
    const times = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
    for (let round = -1; round < rounds; round++)
      for (const peer of peers) {
        const drawn: Drawn = await peer.ask({ ...CASES[name], guidance: GUIDANCE });
        if (round < 0) continue;
        console.error(`${name}: ${peer.name} ${(drawn.ms / 1000).toFixed(2)} s`);
        times.get(peer)!.push(drawn.ms);
        if (peer.name === "fp32") figures.cacheBytes[name] = drawn.cacheBytes!;
        const { small = drawn.rss } = figures.memory[peer.name] ?? {};
        figures.memory[peer.name] = { small, both: drawn.rss };
      }
    const [mine, theirs] = peers.map((peer) => median(times.get(peer)!));
    figures.ms[name] = { [peers[0].name]: mine, ...figures.ms[name], [peers[1].name]: theirs };
    figures.ratios[name] = { ...figures.ratios[name], [peers[1].name]: theirs / mine };
  }
}

function show({ ms, pixelMs, cacheBytes, memory, ratios }: CodeFigures): string {
  const everyone = Object.keys(memory);
  const others = everyone.slice(1);
  const plain = ms["VAR-d30"];
  return [
    `A picture of 256 pixels, guidance ${GUIDANCE}, networks alone as in the paper; the pixel decoder takes ${(pixelMs / 1000).toFixed(1)} s more in float32. Times on 8 bits are those beside float32; how many times faster is of both in turns.`,
    "",
    table(
      ["seconds", ...everyone, "keys and values at float32, MB"],
      NAMES.map((name) => [
        name,
        ...everyone.map((who) => (ms[name][who] / 1000).toFixed(2)),
        (cacheBytes[name] / 1e6).toFixed(0),
      ]),
    ),
    "",
    table(
      ["8 bits, times faster than", ...others],
      NAMES.map((name) => [name, ...others.map((who) => ratios[name][who].toFixed(2))]),
    ),
    "",
    table(
      ["times faster than its own VAR-d30", ...everyone],
      NAMES.slice(2).map((name) => [name, ...everyone.map((who) => (plain[who] / ms[name][who]).toFixed(2))]),
    ),
    "",
    table(
      ["peak memory, GB", "with d16", "with d30 and d16"],
      everyone.map((who) => [who, gigabytes(memory[who].small), gigabytes(memory[who].both)]),
    ),
  ].join("\n");
}
