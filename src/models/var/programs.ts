/**
 * The inference programs of a next-scale transformer. Exact savings over a plain forward pass (VAR spec section 10): what
 * a class decides is computed once, heads run on the tokens that are drawn, the last block leaves out queries nobody
 * asks for, and the last scale's keys and values are never made into outputs.
 */
import { i64, type NdArray } from "../../base/index.ts";
import { add, type Dim, Graph, mul, reshape, slice, sub, type Tensor } from "../../graph/index.ts";
import { type Arrays, createHost, type Host, type Program, type SessionOptions } from "../../runtime/index.ts";
import { scaleOffsets } from "../msvq/index.ts";
import { scaleOfTokens, type VarConfig } from "./config.ts";
import {
  classEmbedding,
  type KeyValue,
  modulations,
  placeEmbedding,
  startTokens,
  type VarLinear,
  varBody,
  varHead,
  wordEmbedding,
} from "./graph.ts";

/** What a class decides. */
export interface Condition {
  /** First tokens with their places [l0, C]. */
  start: Float32Array;
  /** Modulations of blocks and head [6 * depth + 2, C]. */
  mods: Float32Array;
}

export interface Pass {
  /** Rows come in pairs, asked and unasked; an input `guidance` weighs them. */
  guided: boolean;
  /** There are tokens of several scales, which an input `bias` keeps from seeing finer ones. */
  masked: boolean;
  /** Keys and values are outputs. */
  keep: boolean;
  /** Only so many of the last tokens get logits; absent: all. */
  last?: number;
}

export type Run = (feeds: Arrays, into?: Arrays) => Promise<Record<string, NdArray>>;

export interface VarPrograms {
  readonly config: VarConfig;
  /** What classes decide; each class is computed once. */
  conditions(labels: readonly number[]): Promise<Condition[]>;
  /** Pooled maps [B, M, Z] of whole scales from `scale` on -> tokens with their places [B, M, C]. */
  embed(maps: NdArray<"float32">, scale: number): Promise<NdArray<"float32">>;
  /**
   * x [R, M, C], mods [R, 6 * depth + 2, C], past_k_i and past_v_i [P, R, H, d] -> logits [B, M or last, V], and if kept
   * k_i and v_i [M, R, H, d].
   */
  pass(kind: Pass): Promise<Run>;
  dispose(): Promise<void>;
}

export interface VarOptions extends SessionOptions {
  host?: Host;
  /**
   * Weights are given to each run instead of being frozen into each program: one copy in memory whatever its size, for
   * models of gigabytes. For hosts in this thread, which take arrays as they are.
   */
  shared?: boolean;
}

export function varPrograms(
  config: VarConfig,
  weights: (name: string) => NdArray | undefined,
  { host = createHost({ host: "inline" }), shared = false, ...settings }: VarOptions = {},
): VarPrograms {
  const programs: Program[] = [];
  const made = new Map<string, Promise<Run>>();

  const once = (name: string, build: (graph: Graph) => void): Promise<Run> => {
    const before = made.get(name);
    if (before) return before;
    const graph = new Graph();
    build(graph);
    const run = host.compile(graph, { ...settings, weights: shared ? undefined : weights }).then((program): Run => {
      programs.push(program);
      const given = shared ? [...graph.params.keys()].filter((param) => program.inputs.includes(param)) : [];
      const params = Object.fromEntries(given.flatMap((param) => (weights(param) ? [[param, weights(param)!]] : [])));
      return (feeds, into) => program.run({ ...params, ...feeds }, into);
    });
    made.set(name, run);
    return run;
  };

  return programsOf(config, {
    conditions: () => once("conditions", (graph) => buildConditions(config, graph)),
    embed: () => once("embed", (graph) => buildEmbedding(config, graph)),
    pass: (kind) =>
      once(JSON.stringify([kind.guided, kind.masked, kind.keep, kind.last]), (g) => buildPass(config, g, kind)),
    async dispose() {
      await Promise.all(made.values());
      for (const program of programs) await program.dispose();
      made.clear();
    },
  });
}

/** What programs compute, each made when first asked for. */
interface Runs extends Pick<VarPrograms, "pass" | "dispose"> {
  /** labels int64 [B] -> start [B, l0, C], mods [B, 6 * depth + 2, C]. */
  conditions(): Promise<Run>;
  /** maps [B, M, Z], places and scales int64 [M] -> x [B, M, C]. */
  embed(): Promise<Run>;
}

/** Keeps what is known of a class, and tells tokens their places. */
export function programsOf(config: VarConfig, runs: Runs): VarPrograms {
  const known = new Map<number, Condition>();
  const scales = scaleOfTokens(config);
  const offsets = scaleOffsets(config);
  return {
    config,
    async conditions(labels) {
      const fresh = [...new Set(labels)].filter((label) => !known.has(label));
      if (fresh.length) {
        const run = await runs.conditions();
        const { start, mods } = await run({ labels: i64([fresh.length], fresh) });
        const rowOf = (of: NdArray, i: number) => {
          const size = of.data.length / fresh.length;
          return (of.data as Float32Array).slice(i * size, (i + 1) * size);
        };
        for (const [i, label] of fresh.entries()) known.set(label, { start: rowOf(start, i), mods: rowOf(mods, i) });
      }
      return labels.map((label) => known.get(label)!);
    },
    async embed(maps, scale) {
      const run = await runs.embed();
      const length = maps.shape[1];
      const places = Array.from({ length }, (_, i) => offsets[scale] + i);
      const of = places.map((place) => scales[place]);
      return (await run({ maps, places: i64([length], places), scales: i64([length], of) })).x as NdArray<"float32">;
    },
    pass: runs.pass,
    dispose: runs.dispose,
  };
}

export function buildConditions(config: VarConfig, graph: Graph, linear?: VarLinear): void {
  const first = config.sides[0] ** 2;
  const classes = classEmbedding(config, graph.input("labels", "int64", ["B"]));
  const ints = (values: number[]) => graph.constant(i64([first], values));
  const places = placeEmbedding(graph, config, ints(offsetsOf(first)), ints(new Array<number>(first).fill(0)));
  graph.output("start", add(startTokens(config, classes), reshape(places, [1, first, config.width])));
  graph.output("mods", modulations(config, classes, linear));
}

const offsetsOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function buildEmbedding(config: VarConfig, graph: Graph): void {
  const maps = graph.input("maps", "float32", ["B", "M", config.zChannels]);
  const places = graph.input("places", "int64", ["M"]);
  const scales = graph.input("scales", "int64", ["M"]);
  graph.output("x", add(wordEmbedding(config, maps), placeEmbedding(graph, config, places, scales)));
}

function buildPass(config: VarConfig, graph: Graph, { guided, masked, keep, last }: Pass): void {
  const { depth, width } = config;
  const rows = guided ? "2*B" : "B";
  const x = graph.input("x", "float32", [rows, "M", width]);
  const mods = graph.input("mods", "float32", [rows, 6 * depth + 2, width]);
  const bias = masked ? graph.input("bias", "float32", [1, 1, "M", "P+M"]) : undefined;
  const { hidden, present } = varBody(config, { x, mods, bias, past: pastInputs(config, graph, rows), last });
  const logits = varHead(config, hidden, mods);
  graph.output("logits", guided ? guide(logits, graph.input("guidance", "float32", []), config) : logits);
  if (keep) keepOutputs(graph, present);
}

/** Inputs past_k_i and past_v_i [P, R, H, d]. */
export function pastInputs({ depth, width, heads }: VarConfig, graph: Graph, rows: Dim): KeyValue[] {
  const input = (name: string) => graph.input(name, "float32", ["P", rows, heads, width / heads]);
  return Array.from({ length: depth }, (_, i) => ({ k: input(`past_k_${i}`), v: input(`past_v_${i}`) }));
}

/** Outputs k_i and v_i [M, R, H, d]. */
export function keepOutputs(graph: Graph, present: readonly KeyValue[]): void {
  for (const [i, { k, v }] of present.entries()) {
    graph.output(`k_${i}`, k);
    graph.output(`v_${i}`, v);
  }
}

/** (1 + t) * asked - t * unasked; rows come in pairs. */
export function guide(logits: Tensor, t: Tensor, { codebookSize }: VarConfig): Tensor {
  const pairs = reshape(logits, [-1, 2, logits.shape[1], codebookSize]);
  const [asked, unasked] = [0, 1].map((i) => slice(pairs, 1, i, i + 1));
  return reshape(add(asked, mul(sub(asked, unasked), t)), [-1, logits.shape[1], codebookSize]);
}
