/** Picks one id from the logits of one slot. It knows vocabularies only as 0 ... V-1. */
import { fail } from "../base/index.ts";
import type { Sampler } from "./contract.ts";
import { exponential } from "./exponential.ts";
import type { Noise } from "./noise.ts";

/** Index of the largest logit, the first one of equals. */
export function peak(logits_V: Float32Array): number {
  let max = -Infinity;
  let at = -1;
  for (let i = 0; i < logits_V.length; i++) {
    const x = logits_V[i];
    // Written so that one comparison catches NaN as well.
    if (!(x <= max)) {
      if (!(x < Infinity)) fail("the model returned NaN or infinite logits", { code: "DIVERGED" });
      max = x;
      at = i;
    }
  }
  return at >= 0 ? at : fail("the model returned no finite logit", { code: "DIVERGED" });
}

/** Softmax probability of `id`, in float32. */
export function probabilityOf(logits_V: Float32Array, id: number): number {
  const max = logits_V[peak(logits_V)];
  let total = 0;
  for (let i = 0; i < logits_V.length; i++) total += exponential(logits_V[i] - max);
  return Math.fround(exponential(logits_V[id] - max) / total);
}

/** Softmax over each run of `vocab` logits, in float32: the distributions of all slots of a pass. */
export function probabilities(logits: Float32Array, vocab = logits.length): Float32Array {
  const out = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += vocab) {
    const logits_V = logits.subarray(start, start + vocab);
    const max = logits_V[peak(logits_V)];
    let total = 0;
    for (let i = 0; i < vocab; i++) total += exponential(logits_V[i] - max);
    for (let i = 0; i < vocab; i++) out[start + i] = exponential(logits_V[i] - max) / total;
  }
  return out;
}

/** The most likely id. */
export const argmax: Sampler = (logits_V) => peak(logits_V);

export interface CategoricalOptions {
  /** One uniform per slot: `seeded(seed, "sample")`. */
  noise: Noise;
  /** Divides the logits (default 1). */
  temperature?: number;
  /** Draw from the k most likely ids only (default: all). */
  topK?: number;
}

/**
 * Draws an id by inverting the cumulative distribution at one uniform: over the k most likely ids from likely to
 * unlikely, or over all ids in their order where k leaves none out. Sums are float64.
 */
export function categorical({ noise, temperature = 1, topK }: CategoricalOptions): Sampler {
  if (!(temperature > 0 && temperature < Infinity))
    fail("bad sampling temperature", {
      expected: "a number above 0 (argmax is the limit at 0)",
      got: `${temperature}`,
    });
  if (topK !== undefined && !(Number.isInteger(topK) && topK > 0))
    fail("bad top-k", { expected: "a whole number of at least 1", got: `${topK}` });
  let weights = new Float64Array(0);
  let best = new Int32Array(0);
  let scratch = new Float32Array(0);

  return (logits_V, pass, row, slot) => {
    const V = logits_V.length;
    const n = Math.min(topK ?? V, V);
    if (n === 1) return peak(logits_V);
    const ranked = n < V;
    const max = logits_V[peak(logits_V)];
    if (weights.length < n) weights = new Float64Array(n);
    if (ranked) {
      if (best.length !== n) best = new Int32Array(n);
      if (scratch.length !== V) scratch = new Float32Array(V);
      mostLikely(logits_V, best, scratch);
    }
    let total = 0;
    for (let i = 0; i < n; i++) total += weights[i] = exponential((logits_V[ranked ? best[i] : i] - max) / temperature);
    const target = noise(pass, row, slot) * total;
    let sum = 0;
    let i = 0;
    while (i < n - 1 && (sum += weights[i]) <= target) i++;
    return ranked ? best[i] : i;
  };
}

/** Fills `best` with the ids of the largest logits, largest first, equals in id order. */
function mostLikely(logits_V: Float32Array, best: Int32Array, scratch: Float32Array): void {
  scratch.set(logits_V);
  const limit = ascending(scratch, scratch.length - best.length);
  let n = 0;
  for (let i = 0; i < logits_V.length; i++) if (logits_V[i] > limit) best[n++] = i;
  for (let i = 0; n < best.length; i++) if (logits_V[i] === limit) best[n++] = i;
  best.sort((a, b) => logits_V[b] - logits_V[a] || a - b);
}

/** The number that would stand at `rank` if `xs` were sorted: Hoare's quickselect, which reorders `xs`. */
export function ascending(xs: Float32Array, rank: number): number {
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const pivot = xs[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (xs[i] < pivot) i++;
      while (xs[j] > pivot) j--;
      if (i > j) break;
      const x = xs[i];
      xs[i++] = xs[j];
      xs[j--] = x;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return xs[rank];
}
