/**
 * The published size on made-up weights: converted models against PyTorch on the same weights, in turns, beside what the
 * machine can do at best. Environment: FULL_SYNTH, the folder of `fewstep synth`; FULL_MODEL, the same converted (mixed);
 * FULL_PYTHON, a Python with torch and transformers (without: fewstep alone); FULL_PEERS, which of R,R16,B (default all);
 * FULL_THREADS.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Rng } from "fewstep/base";
import { programBytes } from "fewstep/models";
import { partFile, SHOWO_PRESETS } from "fewstep/models/showo";
import { type Peer, startPeer } from "./peer.ts";
import { median, table } from "./report.ts";
import { type Roofline, roofline } from "./roofline.ts";

const CONFIG = SHOWO_PRESETS["showo-256"];
const TOKENS = 64;
/** The reference reads everything anew for each token; a few tell what all cost. */
const REFERENCE_TOKENS = 4;
const WINDOWS = [1, 2, 4, 8, 16, 32, 64];
const PAST = 280;
/** Multiplications of a row in the layers. */
const ROW_PRODUCTS = CONFIG.layers * (4 * CONFIG.hiddenSize ** 2 + 2 * CONFIG.hiddenSize * CONFIG.mlpSize);

export interface FullFigures {
  machine: Roofline;
  ready: Record<string, number>;
  memory: Record<string, number>;
  /** Milliseconds by task and by who. */
  tasks: Record<string, Record<string, number>>;
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

export async function benchFull({ rounds }: { rounds: number }): Promise<{ figures: FullFigures; text: string }> {
  const [synth, model] = [setting("FULL_SYNTH"), setting("FULL_MODEL")];
  const threads = process.env.FULL_THREADS ?? "";
  const machine = await roofline(Number(threads) || undefined);
  const worker = fileURLToPath(new URL("./full-worker.js", import.meta.url));
  const script = fileURLToPath(new URL("../../bench/pytorch/peers.py", import.meta.url));
  const dtypes = ["q8", "q4", "mixed"] as const;
  const ours: Peer[] = [];
  for (const dtype of dtypes) ours.push(await startPeer(dtype, process.execPath, [worker, model, dtype, threads]));
  const theirs: Peer[] = [];
  const python = process.env.FULL_PYTHON;
  const wanted = python ? (process.env.FULL_PEERS ?? "R,R16,B").split(",") : [];
  for (const name of wanted) {
    const folders = ["--showo", join(synth, "showo"), "--magvit", join(synth, "magvit")];
    const args = [script, ...folders, "--peer", name, ...(threads ? ["--threads", threads] : [])];
    theirs.push(await startPeer(name, python!, args));
  }
  try {
    const figures = await measure(machine, ours, theirs, model, rounds);
    return { figures, text: show(figures, [...ours, ...theirs]) };
  } finally {
    for (const peer of [...ours, ...theirs]) peer.end();
  }
}

async function measure(
  machine: Roofline,
  ours: readonly Peer[],
  theirs: readonly Peer[],
  model: string,
  rounds: number,
): Promise<FullFigures> {
  const rng = new Rng(1);
  const ids = (length: number, below: number) => Array.from({ length }, () => rng.int(below));
  const prompt = ids(20, 50000);
  const picture = { codes: ids(CONFIG.imageTokens, CONFIG.codebookSize), question: ids(14, 50000) };
  const everyone = [...ours, ...theirs];
  const requests = {
    "picture, 4 steps": () => ({ task: "draw", prompt, steps: 4, guidance: 0 }),
    "picture, 8 steps, guidance 5": () => ({ task: "draw", prompt, steps: 8, guidance: 5 }),
    "64 tokens": (peer: Peer) => ({ task: "describe", ...picture, tokens: slow(peer) ? REFERENCE_TOKENS : TOKENS }),
  };
  const memory: Record<string, number> = {};
  const tasks: FullFigures["tasks"] = {};
  for (const [name, requestOf] of Object.entries(requests)) {
    const times = new Map<Peer, number[]>(everyone.map((peer) => [peer, []]));
    // The reference takes minutes; it is asked once and not warmed up.
    for (let round = -1; round < rounds; round++)
      for (const peer of everyone) {
        if (slow(peer) && round !== 0) continue;
        const { ms, rss } = await peer.ask(requestOf(peer));
        memory[peer.name] = Math.max(memory[peer.name] ?? 0, rss);
        const scale = name === "64 tokens" && slow(peer) ? TOKENS / REFERENCE_TOKENS : 1;
        if (round >= 0) times.get(peer)!.push(ms * scale);
      }
    tasks[name] = Object.fromEntries(everyone.map((peer) => [peer.name, median(times.get(peer)!)]));
  }

  const windows: FullFigures["windows"] = {};
  const step: FullFigures["step"] = {};
  const token: FullFigures["token"] = {};
  const pass = async (peer: Peer, tokens: number, past: number) => {
    const times: number[] = [];
    for (let i = 0; i <= rounds; i++) times.push((await peer.ask({ task: "pass", tokens, past })).ms);
    return Math.min(...times);
  };
  for (const peer of ours) {
    windows[peer.name] = {};
    for (const w of WINDOWS) windows[peer.name][w] = await pass(peer, w, PAST);
    const rows = CONFIG.imageTokens + 2;
    const ms = await pass(peer, rows, 24);
    step[peer.name] = { ms, share: (2 * ROW_PRODUCTS * rows) / 1e6 / ms / machine.int8 };
    const dtype = peer.name === "q8" ? "q8" : "q4";
    const bytes = programBytes(join(model, partFile("body", dtype))) - 2 * CONFIG.hiddenSize * 58498;
    const one = windows[peer.name][1];
    token[peer.name] = { ms: one, overBound: one / (bytes / 1e6 / machine.bandwidth) };
  }
  const ready = Object.fromEntries(everyone.map((peer) => [peer.name, peer.ready]));
  return { machine, ready, memory, tasks, windows, step, token };
}

const slow = ({ name }: Peer): boolean => name.startsWith("R");

function show(figures: FullFigures, peers: readonly Peer[]): string {
  const { machine, ready, memory, tasks, windows, step, token } = figures;
  const names = peers.map(({ name }) => name);
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const rows = Object.entries(tasks).map(([task, times]) => [task, ...names.map((name) => seconds(times[name]))]);
  const ratios = Object.entries(tasks).flatMap(([task, times]) =>
    names
      .filter((name) => /^(R|B)/.test(name))
      .map((name) => [task, name, ...["q8", "q4", "mixed"].map((dtype) => (times[name] / times[dtype]).toFixed(1))]),
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
    ...(ratios.length ? [table(["times faster", "than", "q8", "q4", "mixed"], ratios), ""] : []),
    table(
      ["", "ready, s", "peak memory, GB"],
      names.map((name) => [name, ready[name].toFixed(1), (memory[name] / 1e9).toFixed(2)]),
    ),
    "",
    table(["pass", "denoising, ms", "of the 8-bit rate", "a token, ms", "times reading its weights"], passes),
    "",
    table(["tokens a pass, ms", ...WINDOWS.map(String)], [...curve, ...needs]),
  ].join("\n");
}
