/**
 * The inference programs of Show-o, each compiled when first needed. Exact savings over a full forward (Show-o spec
 * section 9): the text prefix is computed once, no padding rows exist, heads give only the columns asked for, text has
 * a key/value cache.
 */
import { fail, type NdArray } from "../../base/index.ts";
import { add, type Graph, mul, reshape, slice, sub, type Tensor } from "../../graph/index.ts";
import { createHost, type Host, type Program, programsOn, type SessionOptions } from "../../runtime/index.ts";
import type { ShowoConfig } from "./config.ts";
import { showoBody, showoHead } from "./graph.ts";
import type { KeyValue } from "./kernels.ts";
import type { PackedShowo } from "./packed.ts";

export type Weights = (name: string) => NdArray | undefined;

export interface ShowoPrograms {
  readonly config: ShowoConfig;
  /** Prefix text: ids [1, M], bias [1, 1, M, M], positions [M] -> keys and values. */
  prefix(): Promise<Program>;
  /** Picture rows on cached prefixes: logits [B, N, C]; guided: twice the rows and a scalar `guidance` in, B out. */
  denoise(guided: boolean): Promise<Program>;
  /** M new tokens on a cache: logits [1, R, columns] of those that `rows` [R] names, keys and values of all. */
  text(columns: "text" | "all"): Promise<Program>;
  /** Everything, for comparison and training-like use: ids [B, L], bias [B, 1, L, L] -> logits [B, L, V]. */
  full(): Promise<Program>;
  /** A converted model, which predictors use instead of the programs above. */
  readonly packed?: PackedShowo;
  dispose(): Promise<void>;
}

/** A converted model as what predictors are made of; it has none of the plain programs. */
export function packedPrograms(packed: PackedShowo): ShowoPrograms {
  const none = (): never =>
    fail("a converted model has no plain programs", { hint: "Load the weights that it was converted from." });
  const { config, dispose } = packed;
  return { config, packed, prefix: none, denoise: none, text: none, full: none, dispose };
}

/** Without a `host`, programs run in this thread. */
export function showoPrograms(
  config: ShowoConfig,
  weights: Weights,
  { host = createHost({ host: "inline" }), ...settings }: SessionOptions & { host?: Host } = {},
): ShowoPrograms {
  const { once, dispose } = programsOn(host, { ...settings, weights });
  return {
    config,
    prefix: () => once("prefix", (g) => buildPrefix(config, g)),
    denoise: (guided) => once(`denoise ${guided}`, (g) => buildDenoise(config, g, guided)),
    text: (columns) => once(`text ${columns}`, (g) => buildText(config, g, columns)),
    full: () => once("full", (g) => buildFull(config, g)),
    dispose,
  };
}

const pastInputs = ({ layers, heads, hiddenSize }: ShowoConfig, g: Graph, batch: number | string): KeyValue[] =>
  Array.from({ length: layers }, (_, l) => ({
    k: g.input(`past_k_${l}`, "float32", [batch, "P", heads, hiddenSize / heads]),
    v: g.input(`past_v_${l}`, "float32", [batch, "P", heads, hiddenSize / heads]),
  }));

function presentOutputs(g: Graph, present: readonly KeyValue[]): void {
  for (const [l, { k, v }] of present.entries()) {
    g.output(`k_${l}`, k);
    g.output(`v_${l}`, v);
  }
}

function buildPrefix(config: ShowoConfig, g: Graph): void {
  const ids = g.input("ids", "int64", [1, "M"]);
  const positions = g.input("positions", "float32", ["M"]);
  const bias = g.input("bias", "float32", [1, 1, "M", "M"]);
  presentOutputs(g, showoBody(config, { ids, positions, bias }).present);
}

function buildDenoise(config: ShowoConfig, g: Graph, guided: boolean): void {
  const tokens = config.imageTokens;
  const batch = guided ? "2*B" : "B";
  const ids = g.input("ids", "int64", [batch, tokens + 2]);
  const positions = g.input("positions", "float32", [tokens + 2]);
  const bias = g.input("bias", "float32", [batch, 1, 1, `P+${tokens + 2}`]);
  const { hidden } = showoBody(config, { ids, positions, bias, past: pastInputs(config, g, batch) });
  const logits = showoHead(config, slice(hidden, 1, 1, tokens + 1), "image");
  g.output("logits", guided ? guide(logits, g.input("guidance", "float32", []), config) : logits);
}

/** (1 + g) * asked - g * unasked; rows come in pairs. */
function guide(logits: Tensor, guidance: Tensor, { imageTokens, codebookSize }: ShowoConfig): Tensor {
  const pairs = reshape(logits, [-1, 2, imageTokens, codebookSize]);
  const asked = slice(pairs, 1, 0, 1);
  const unasked = slice(pairs, 1, 1, 2);
  return reshape(add(asked, mul(sub(asked, unasked), guidance)), [-1, imageTokens, codebookSize]);
}

function buildText(config: ShowoConfig, g: Graph, columns: "text" | "all"): void {
  const ids = g.input("ids", "int64", [1, "M"]);
  const positions = g.input("positions", "float32", ["M"]);
  const bias = g.input("bias", "float32", [1, 1, "M", "P+M"]);
  const rows = g.input("rows", "int64", ["R"]);
  const { hidden, present } = showoBody(config, { ids, positions, bias, past: pastInputs(config, g, 1), rows });
  g.output("logits", showoHead(config, hidden, columns));
  presentOutputs(g, present);
}

function buildFull(config: ShowoConfig, g: Graph): void {
  const ids = g.input("ids", "int64", ["B", "L"]);
  const positions = g.input("positions", "float32", ["L"]);
  const bias = g.input("bias", "float32", ["B", 1, "L", "L"]);
  g.output("logits", showoHead(config, showoBody(config, { ids, positions, bias }).hidden));
}
