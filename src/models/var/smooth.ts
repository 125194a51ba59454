/**
 * Soft mode (VAR spec section 4, "more smooth"): what a scale adds to the picture is a mixture of codes instead of the
 * one that was drawn. For looking at; not used for scores.
 */
import { keepLikely, type Likely } from "../../decode/index.ts";

export interface Smooth extends Omit<Likely, "topK"> {
  /** In all scales, or of each. */
  topK?: number | readonly number[];
  /** Standard Gumbel noise of a code in a slot of a row. */
  gumbel(row: number, slot: number, code: number): number;
  /** Rows of the codebook [V, Z]. */
  codebook: Float32Array;
}

interface Scale extends Smooth {
  topK?: number;
  vocab: number;
  /** 0 at the first scale, 1 at the last. */
  progress: number;
  scale: { start: number; length: number };
}

/** Codes [B, l, Z] of one scale from its guided logits [B, l, V], which stay as they are. */
export function softCodes(logits_BTV: Float32Array, how: Scale): Float32Array {
  const { vocab, progress, codebook, gumbel } = how;
  const { start, length } = how.scale;
  const width = codebook.length / vocab;
  const temperature = Math.max(0.27 * (1 - 0.95 * progress), 0.005);
  const slots = logits_BTV.length / vocab;
  const out = new Float32Array(slots * width);
  for (let i = 0; i < slots; i++) {
    const logits_V = logits_BTV.subarray(i * vocab, (i + 1) * vocab);
    const [row, slot] = [Math.floor(i / length), start + (i % length)];
    const ids = keepLikely(logits_V, how);
    const scores = Float64Array.from(
      ids,
      (id) => ((1 + progress) * logits_V[id] + gumbel(row, slot, id)) / temperature,
    );
    const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => Math.exp(score - max));
    const total = weights.reduce((a, b) => a + b, 0);
    for (const [j, id] of ids.entries())
      for (let z = 0; z < width; z++) out[i * width + z] += (weights[j] / total) * codebook[id * width + z];
  }
  return out;
}
