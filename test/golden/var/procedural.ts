/** Weights and inputs of cases that store none: a generator started from each tensor's name. */
import { f32, type NdArray, sizeOf } from "fewstep/base";

/** FNV-1a of the name, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h;
}

/** Uniform numbers in [0, 1): mulberry32. */
function generator(name: string, seed: number): () => number {
  let state = (hash(name) ^ seed) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `factor` * (2u - 1). */
export function uniforms(name: string, shape: readonly number[], seed: number, factor = 1): NdArray<"float32"> {
  const next = generator(name, seed);
  const out = f32(shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = factor * (2 * next() - 1);
  return out;
}

/** The rule that the manifest words under `procedural_weights`. */
export function proceduralTensor(name: string, shape: readonly number[], seed: number): NdArray<"float32"> {
  const { centre, scale } = rangeOf(name, shape);
  const next = generator(name, seed);
  const out = f32(shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = centre + scale * (2 * next() - 1);
  return out;
}

function rangeOf(name: string, shape: readonly number[]): { centre: number; scale: number } {
  if (name.endsWith("scale_mul_1H11")) return { centre: Math.log(4), scale: 0.2 };
  if (["pos_start", "pos_1LC", "class_emb.weight", "lvl_embed.weight"].includes(name)) return { centre: 0, scale: 0.5 };
  if (name === "quantize.embedding.weight") return { centre: 0, scale: 1 };
  if (shape.length === 1) return name.endsWith(".weight") ? { centre: 1, scale: 0.1 } : { centre: 0, scale: 0.1 };
  return { centre: 0, scale: Math.sqrt(3 / sizeOf(shape.slice(1))) };
}
