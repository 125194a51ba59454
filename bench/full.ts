/**
 * The published size on made-up weights: converted models against PyTorch on the same weights, in turns, beside what the
 * machine can do at best. Environment: FULL_SYNTH, the folder of `fewstep synth`; FULL_MODEL, the same converted (mixed);
 * FULL_PYTHON, a Python with torch and transformers (without: fewstep alone); FULL_PEERS, which of R,R16,B (default all);
 * FULL_THREADS. FULL_REFERENCE, a checkout of Show-o or Show-o Turbo: it is asked too, as C (see bench/pytorch/checkouts.py).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Rng } from "fewstep/base";
import { programBytes } from "fewstep/models";
import { partFile, SHOWO_PRESETS } from "fewstep/models/showo";
import { type Peer, startPeer } from "./peer.ts";
import { gigabytes, median, table } from "./report.ts";
import { type Roofline, roofline } from "./roofline.ts";

const CONFIG = SHOWO_PRESETS["showo-256"];
const TOKENS = 64;
/** The reference reads everything anew for each token; a few tell what all cost. */
const REFERENCE_TOKENS = 4;
const WINDOWS = [1, 2, 4, 8, 16, 32, 64];
const PAST = 280;
/** Multiplications of a row in the layers. */
const ROW_PRODUCTS = CONFIG.layers * (4 * CONFIG.hiddenSize ** 2 + 2 * CONFIG.hiddenSize * CONFIG.mlpSize);

/** Milliseconds by who. */
type Times = Record<string, number>;

export interface FullFigures {
  machine: Roofline;
  ready: Record<string, number>;
  /** Most bytes resident: with the pixel decoder; of ours also before it is opened. */
  memory: Record<string, { transformer?: number; whole: number }>;
  tasks: Record<string, Times>;
  /** For each of PyTorch's ways: its time over ours, both measured in turns while no other of its ways was running. */
  ratios: Record<string, Record<string, Times>>;
  windows: Record<string, Record<number, number>>;
  /** Milliseconds of a denoising pass, its share of the machine's rate; of a token, as multiples of reading its weights. */
  step: Record<string, { ms: number; share: number }>;
  token: Record<string, { ms: number; overBound: number }>;
}

const setting = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}: see the head of bench/full.ts`);
  return value;
};

const DTYPES = ["q8", "q4", "mixed"] as const;

/** PyTorch's ways come one after another: all at once they leave no memory for files, and everyone waits for the disk. */
export async function benchFull({ rounds }: { rounds: number }): Promise<{ figures: FullFigures; text: string }> {
  const [synth, model] = [setting("FULL_SYNTH"), setting("FULL_MODEL")];
  const threads = process.env.FULL_THREADS ?? "";
  const machine = await roofline(Number(threads) || undefined);
  const worker = fileURLToPath(new URL("./full-worker.js", import.meta.url));
  const script = fileURLToPath(new URL("../../bench/pytorch/peers.py", import.meta.url));
  const checkouts = fileURLToPath(new URL("../../bench/pytorch/checkouts.py", import.meta.url));
  const python = process.env.FULL_PYTHON;
  const reference = process.env.FULL_REFERENCE;
  const wanted = python ? (process.env.FULL_PEERS ?? `B,R16,R${reference ? ",C" : ""}`).split(",") : [];
  const folders = ["--showo", join(synth, "showo"), "--magvit", join(synth, "magvit")];
  const figures: FullFigures = {
    machine,
    ready: {},
    memory: {},
    tasks: {},
    ratios: {},
    windows: {},
    step: {},
    token: {},
  };
  const ours: Peer[] = [];
  try {
    for (const dtype of DTYPES) ours.push(await startPeer(dtype, process.execPath, [worker, model, dtype, threads]));
    for (const peer of ours) {
      figures.ready[peer.name] = peer.ready;
      await timePasses(figures, peer, model, rounds);
    }
    if (wanted.length === 0) await timeTasks(figures, ours, rounds);
    for (const name of wanted) {
      const of = name === "C" ? [checkouts, "showo", setting("FULL_REFERENCE")] : [script, "--peer", name];
      const args = [...of, ...folders, ...(threads ? ["--threads", threads] : [])];
      const peer = await startPeer(name, python!, args);
      try {
        figures.ready[name] = peer.ready;
        const times = await timeTasks(figures, [...ours, peer], rounds);
        figures.ratios[name] = Object.fromEntries(
          Object.entries(times).map(([task, by]) => [
            task,
            Object.fromEntries(DTYPES.map((dtype) => [dtype, by[name] / by[dtype]])),
          ]),
        );
      } finally {
        peer.end();
      }
    }
  } finally {
    for (const peer of ours) peer.end();
  }
  return { figures, text: show(figures) };
}

/** Who has done what before. */
const warm = new Set<string>();

/** Medians of every task in turns; the first times of someone are kept in `figures`. */
async function timeTasks(figures: FullFigures, everyone: readonly Peer[], rounds: number) {
  const rng = new Rng(1);
  const ids = (length: number, below: number) => Array.from({ length }, () => rng.int(below));
  const prompt = ids(20, 50000);
  const picture = { codes: ids(CONFIG.imageTokens, CONFIG.codebookSize), question: ids(14, 50000) };
  const requests = {
    "picture, 4 steps": () => ({ task: "draw", prompt, steps: 4, guidance: 0 }),
    "picture, 8 steps, guidance 5": () => ({ task: "draw", prompt, steps: 8, guidance: 5 }),
    "64 tokens": (peer: Peer) => ({ task: "describe", ...picture, tokens: slow(peer) ? REFERENCE_TOKENS : TOKENS }),
  };
  const medians: Record<string, Times> = {};
  for (const [name, requestOf] of Object.entries(requests)) {
    const times = new Map<Peer, number[]>(everyone.map((peer) => [peer, []]));
    // The reference takes minutes; it is asked once and not warmed up.
    for (let round = -1; round < rounds; round++)
      for (const peer of everyone) {
        if (round < 0 && (slow(peer) || warm.has(`${peer.name}, ${name}`))) continue;
        if (round > 0 && slow(peer)) continue;
        warm.add(`${peer.name}, ${name}`);
        const { ms, rss } = await peer.ask(requestOf(peer));
        if (round >= 0) say(`${name}: ${peer.name} ${(ms / 1000).toFixed(2)} s`);
        const { transformer, whole = 0 } = figures.memory[peer.name] ?? {};
        figures.memory[peer.name] = { transformer, whole: Math.max(whole, rss) };
        const scale = name === "64 tokens" && slow(peer) ? TOKENS / REFERENCE_TOKENS : 1;
        if (round >= 0) times.get(peer)!.push(ms * scale);
      }
    medians[name] = Object.fromEntries(everyone.map((peer) => [peer.name, median(times.get(peer)!)]));
    figures.tasks[name] = { ...medians[name], ...figures.tasks[name] };
  }
  return medians;
}

/** Shortest times of single passes, and the memory of the transformer alone. */
async function timePasses(figures: FullFigures, peer: Peer, model: string, rounds: number): Promise<void> {
  const { name } = peer;
  const { int8, bandwidth } = figures.machine;
  let rss = 0;
  const pass = async (tokens: number, past: number) => {
    const times: number[] = [];
    // Short ones are disturbed more easily.
    for (let i = 0; i <= Math.max(tokens > 16 ? 3 : 15, rounds); i++) {
      const answer = await peer.ask({ task: "pass", tokens, past });
      times.push(answer.ms);
      rss = answer.rss;
    }
    return Math.min(...times);
  };
  figures.windows[name] = {};
  for (const w of WINDOWS) figures.windows[name][w] = await pass(w, PAST);
  const rows = CONFIG.imageTokens + 2;
  const ms = await pass(rows, 24);
  say(`${name}: a token ${figures.windows[name][1].toFixed(0)} ms, ${rows} rows ${ms.toFixed(0)} ms`);
  figures.step[name] = { ms, share: (2 * ROW_PRODUCTS * rows) / 1e6 / ms / int8 };
  const bytes =
    programBytes(join(model, partFile("body", name === "q8" ? "q8" : "q4"))) - 2 * CONFIG.hiddenSize * 58498;
  const one = figures.windows[name][1];
  figures.token[name] = { ms: one, overBound: one / (bytes / 1e6 / bandwidth) };
  figures.memory[name] = { transformer: rss, whole: rss };
}

/** All of it takes a quarter of an hour; who ends it early keeps what was measured. */
const say = (line: string) => console.error(line);

const slow = ({ name }: Peer): boolean => /^[RC]/.test(name);

function show({ machine, ready, memory, tasks, ratios, windows, step, token }: FullFigures): string {
  const names = Object.keys(ready);
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const rows = Object.entries(tasks).map(([task, times]) => [task, ...names.map((name) => seconds(times[name]))]);
  const faster = Object.keys(tasks).flatMap((task) =>
    Object.entries(ratios).map(([name, by]) => [task, name, ...DTYPES.map((dtype) => by[task][dtype].toFixed(1))]),
  );
  const curve = Object.entries(windows).map(([dtype, costs]) => [dtype, ...WINDOWS.map((w) => costs[w].toFixed(0))]);
  const needs = Object.entries(windows).map(([dtype, costs]) => [
    `${dtype}, settled tokens to pay`,
    ...WINDOWS.map((w) => (costs[w] / costs[1]).toFixed(1)),
  ]);
  const passes = Object.keys(step).map((dtype) => [
    dtype,
    step[dtype].ms.toFixed(0),
    `${(100 * step[dtype].share).toFixed(0)} %`,
    token[dtype].ms.toFixed(1),
    token[dtype].overBound.toFixed(2),
  ]);
  return [
    `At best this machine does ${machine.int8.toFixed(0)} GOP/s at 8 bits and ${machine.fp32.toFixed(0)} at float32, and reads ${machine.bandwidth.toFixed(1)} GB/s.`,
    "",
    table(["seconds", ...names], rows),
    "",
    ...(faster.length ? [table(["times faster", "than", ...DTYPES], faster), ""] : []),
    table(
      ["", "ready, s", "peak memory, GB", "of it before the pixel decoder is opened"],
      names.map((name) => {
        const { transformer, whole } = memory[name];
        return [name, ready[name].toFixed(1), gigabytes(whole), transformer ? gigabytes(transformer) : ""];
      }),
    ),
    "",
    table(["pass", "denoising, ms", "of the 8-bit rate", "a token, ms", "times reading its weights"], passes),
    "",
    table(["tokens a pass, ms", ...WINDOWS.map(String)], [...curve, ...needs]),
  ].join("\n");
}
