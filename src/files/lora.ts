/**
 * LoRA adapters: a matrix W becomes W + scale * B A. Reads what PEFT writes, adapter_model.safetensors beside
 * adapter_config.json. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (ICLR 2022), section 4.1.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail, type NdArray } from "../base/index.ts";
import type { Safetensors } from "./safetensors.ts";
import { readWeights } from "./shards.ts";

/** One adapted matrix: rows of `up` [out, rank] times `down` [rank, width]. */
interface Pair {
  up: NdArray<"float32">;
  down: NdArray<"float32">;
  scale: number;
}

export interface Lora {
  readonly path: string;
  /** By the name of the matrix without ".weight", as the adapter says it. */
  readonly pairs: ReadonlyMap<string, Pair>;
}

interface Settings {
  r?: unknown;
  lora_alpha?: unknown;
  use_rslora?: unknown;
  use_dora?: unknown;
  fan_in_fan_out?: unknown;
  alpha_pattern?: unknown;
  bias?: unknown;
}

/** Reads an adapter, given its folder or file. Errors: BAD_FILE, NOT_FOUND, and kinds of adapters that are not this one. */
export function readLora(path: string): Lora {
  const folder = existsSync(path) && statSync(path).isDirectory();
  const file = folder ? join(path, "adapter_model.safetensors") : path;
  const settings = settingsOf(join(folder ? path : dirname(path), "adapter_config.json"));
  const weights = readWeights(file);
  try {
    const pairs = new Map<string, Pair>();
    for (const name of weights.names) {
      const [, matrix, part] = /^(?:base_model\.model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(name) ?? [];
      if (matrix === undefined) refuse(file, "matrices lora_A and lora_B only", `"${name}"`);
      if (part === "B") continue;
      const other = name.replace(/\.lora_A(\.default)?\.weight$/, ".lora_B$1.weight");
      const [down, up] = [weights.float32(name), weights.float32(other)];
      const rank = down.shape[0];
      if (down.shape.length !== 2 || up.shape.length !== 2 || up.shape[1] !== rank)
        refuse(file, `"${other}" [out, ${rank}]`, `[${up.shape}]`);
      pairs.set(matrix, { up, down, scale: settings.alpha / (settings.root ? Math.sqrt(rank) : rank) });
    }
    if (pairs.size === 0) refuse(file, "at least one adapted matrix", "none");
    return { path: file, pairs };
  } finally {
    weights.close();
  }
}

const refuse = (where: string, expected: string, got: string): never =>
  fail("this is not a LoRA adapter that can be merged", { where, code: "BAD_FILE", expected, got });

function settingsOf(path: string): { alpha: number; root: boolean } {
  let json: Settings;
  try {
    json = JSON.parse(readFileSync(path, "utf8")) ?? {};
  } catch (cause) {
    return fail("the adapter has no readable adapter_config.json", { where: path, code: "NOT_FOUND", cause });
  }
  const { lora_alpha: alpha, use_rslora: root } = json;
  if (typeof alpha !== "number" || !Number.isFinite(alpha)) return refuse(path, "a number lora_alpha", `${alpha}`);
  const others = ["use_dora", "fan_in_fan_out"] as const;
  for (const key of others) if (json[key]) refuse(path, `${key} false`, `${json[key]}`);
  if (json.bias !== undefined && json.bias !== "none") refuse(path, 'bias "none"', `${json.bias}`);
  if (json.alpha_pattern && Object.keys(json.alpha_pattern as object).length)
    refuse(path, "one lora_alpha for all matrices", "an alpha_pattern");
  return { alpha, root: root === true };
}

/**
 * The weights with the adapter added; nothing is changed on disk. Adapters name matrices as the weights do or without
 * their first words ("model.layers.0..." for "showo.model.layers.0..."). Errors: BAD_WEIGHTS for a matrix that the weights
 * lack or that has another shape.
 */
export function withLora(weights: Safetensors, { path, pairs }: Lora): Safetensors {
  const byName = new Map<string, Pair>();
  for (const [matrix, pair] of pairs) {
    const name = weights.names.find((n) => n === `${matrix}.weight` || n.endsWith(`.${matrix}.weight`));
    if (name === undefined)
      return fail(`the adapter changes "${matrix}", which the weights do not have`, {
        where: path,
        code: "BAD_WEIGHTS",
      });
    const { shape } = weights.info(name);
    const adapted = [pair.up.shape[0], pair.down.shape[1]];
    if (shape.join() !== adapted.join())
      fail(`the adapter is for another size of "${name}"`, {
        where: path,
        code: "BAD_WEIGHTS",
        expected: `[${shape}]`,
        got: `[${adapted}]`,
      });
    byName.set(name, pair);
  }
  const add = (name: string, array: NdArray<"float32">, start: number): NdArray<"float32"> => {
    const pair = byName.get(name);
    if (pair) addProduct(array, pair, start);
    return array;
  };
  const float32 = (name: string) => add(name, weights.float32(name), 0);
  return {
    ...weights,
    get: (name) => (byName.has(name) ? float32(name) : weights.get(name)),
    float32,
    rows: (name, start, end) => add(name, weights.rows(name, start, end), start),
  };
}

/** Rows `start` and on of scale * B A onto `rows`. */
function addProduct(
  { shape: [count, width], data }: NdArray<"float32">,
  { up, down, scale }: Pair,
  start: number,
): void {
  const rank = down.shape[0];
  for (let row = 0; row < count; row++)
    for (let r = 0; r < rank; r++) {
      const factor = scale * up.data[(start + row) * rank + r];
      for (let i = 0; i < width; i++) data[row * width + i] += factor * down.data[r * width + i];
    }
}
