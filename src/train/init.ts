/** Starting values of parameters. Keyed by (seed, name), so adding a parameter leaves the others as they were. */
import { Rng } from "../base/index.ts";
import type { Init } from "../graph/index.ts";

/** Fills `values`: normal with that deviation, uniform in [-x, x), or one value everywhere. */
export function initialise(values: Float32Array, init: Init, seed: number, name: string): void {
  const rng = new Rng(seed, hashName(name));
  if ("constant" in init) values.fill(init.constant);
  else if ("normal" in init) for (let i = 0; i < values.length; i++) values[i] = init.normal * rng.normal();
  else for (let i = 0; i < values.length; i++) values[i] = init.uniform * (2 * rng.uniform() - 1);
}

/** FNV-1a, 32 bits. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
