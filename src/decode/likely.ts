/**
 * Drawing from the likely ids alone, by the order of the published next-scale samplers (VAR spec section 4): top-k on
 * the logits, then top-p on what is left, then the temperature.
 */
import { fail } from "../base/index.ts";
import type { Sampler } from "./contract.ts";
import { exponential } from "./exponential.ts";
import type { Noise } from "./noise.ts";
import { ascending } from "./samplers.ts";

export interface Likely {
  /** Keep the k largest logits, and all that equal the smallest of them; 0 (default) keeps all. */
  topK?: number;
  /** Then keep the smallest set of likely ids whose mass exceeds p; 0 (default) keeps all. */
  topP?: number;
}

/** Weights of the ids, overwritten by each call: thousands of calls for a picture would leave as many arrays behind. */
let scratch = new Float64Array(0);

/**
 * The ids that remain, the least likely first where top-p has sorted them. Little else is sorted: the k-th logit is found
 * by selection. Errors: k beyond the vocabulary, NaN.
 */
export function keepLikely(logits_V: Float32Array, { topK = 0, topP = 0 }: Likely): number[] {
  const V = logits_V.length;
  if (topK > V)
    fail("top-k is larger than the vocabulary", { where: "topK", expected: `at most ${V}`, got: `${topK}` });
  const limit = topK > 0 && topK < V ? ascending(logits_V.slice(), V - topK) : -Infinity;
  let max = -Infinity;
  for (let id = 0; id < V; id++) {
    if (Number.isNaN(logits_V[id])) fail("the model returned NaN logits", { code: "DIVERGED" });
    max = Math.max(max, logits_V[id]);
  }
  const ids: number[] = [];
  if (!(topP > 0)) {
    for (let id = 0; id < V; id++) if (logits_V[id] >= limit) ids.push(id);
    return ids;
  }
  if (scratch.length < V) scratch = new Float64Array(V);
  const weights = scratch;
  let total = 0;
  for (let id = 0; id < V; id++) total += weights[id] = logits_V[id] >= limit ? exponential(logits_V[id] - max) : 0;
  // What weighs less than this is dropped in any order, for all of it weighs no more than 1 - p: few are left to sort.
  const floor = ((1 - topP) * total) / V;
  let mass = 0;
  for (let id = 0; id < V; id++) {
    if (!(logits_V[id] >= limit)) continue;
    if (weights[id] < floor) mass += weights[id];
    else ids.push(id);
  }
  ids.sort((a, b) => logits_V[a] - logits_V[b] || a - b);
  let dropped = 0;
  mass += weights[ids[0]];
  while (dropped < ids.length - 1 && mass / total <= 1 - topP) mass += weights[ids[++dropped]];
  return ids.slice(dropped);
}

export interface LikelyOptions extends Omit<Likely, "topK"> {
  /** One uniform per slot: `seeded(seed, "sample")`. */
  noise: Noise;
  /** As of `Likely`; one number, or one for each pass, the last of which goes on. */
  topK?: number | readonly number[];
  /** Divides the logits that remain (default 1); one number, or one for each pass. */
  temperature?: number | readonly number[];
}

const listOf = (value: number | readonly number[]): readonly number[] => (typeof value === "number" ? [value] : value);
const atPass = (list: readonly number[], pass: number): number => list[Math.min(Math.max(pass, 1), list.length) - 1];

/** Draws one of the likely ids by inverting their cumulative distribution at one uniform. */
export function likely({ noise, topK, topP, temperature = 1 }: LikelyOptions): Sampler {
  const temperatures = listOf(temperature);
  const topKs = listOf(topK ?? 0);
  if (temperatures.length === 0 || !temperatures.every((t) => t > 0 && t < Infinity))
    fail("bad sampling temperature", { where: "temperature", expected: "numbers above 0", got: `${temperatures}` });
  if (topKs.length === 0 || !topKs.every((k) => Number.isInteger(k) && k >= 0))
    fail("bad top-k", { where: "topK", expected: "a whole number of at least 0", got: `${topK}` });
  if (!(topP === undefined || (topP >= 0 && topP <= 1)))
    fail("bad top-p", { where: "topP", expected: "a number from 0 to 1", got: `${topP}` });
  return (logits_V, pass, row, slot) => {
    const ids = keepLikely(logits_V, { topK: atPass(topKs, pass), topP });
    const t = atPass(temperatures, pass);
    const max = ids.reduce((m, id) => Math.max(m, logits_V[id]), -Infinity);
    const weights = ids.map((id) => exponential((logits_V[id] - max) / t));
    const target = noise(pass, row, slot) * weights.reduce((a, b) => a + b, 0);
    let sum = 0;
    let i = 0;
    while (i < ids.length - 1 && (sum += weights[i]) <= target) i++;
    return ids[i];
  };
}
