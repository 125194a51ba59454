/** Weights of the real-size cases: a hash of their name and index, so that nothing has to be stored. */
import { f32, type NdArray, sizeOf } from "fewstep/base";

/** The rule that the manifest words under `procedural_weights`; values in float32, row-major. */
export function proceduralWeights(name: string, shape: readonly number[], seed: number): NdArray<"float32"> {
  const out = f32(shape);
  const start = fnv1a(name) ^ seed;
  const { scale, centre } = rangeOf(name, shape);
  for (let i = 0; i < out.data.length; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + start) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    out.data[i] = centre + scale * (((x >>> 0) / 2 ** 32) * 2 - 1);
  }
  return out;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** Values lie in centre +- scale. */
function rangeOf(name: string, shape: readonly number[]): { scale: number; centre: number } {
  if (shape.length === 1)
    return name.includes("norm") && name.endsWith("weight") ? { scale: 0.2, centre: 1 } : { scale: 0.1, centre: 0 };
  if (name.includes("embed_tokens")) return { scale: Math.sqrt(3), centre: 0 };
  const spread = Math.sqrt(3 / sizeOf(shape.slice(1)));
  return { scale: (name.includes("lm_head.weight") ? 2 : 1.2) * spread, centre: 0 };
}
