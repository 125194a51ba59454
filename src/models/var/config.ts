/** Sizes of a next-scale transformer (VAR). */
import { fail } from "../../base/index.ts";
import { MSVQ_PRESETS, SIDES, scaleOffsets } from "../msvq/index.ts";

export interface VarConfig {
  model: "var";
  width: number;
  depth: number;
  heads: number;
  mlpSize: number;
  normEps: number;
  /** Classes; one more row of the class table is "any class". */
  classes: number;
  /** Whether queries and keys have length one, times a learnt scale of each head. */
  qkNorm: boolean;
  /** Whether the blocks share the layer that makes their modulations from the class. */
  sharedNorm: boolean;
  /** Of the tokenizer. */
  sides: readonly number[];
  codebookSize: number;
  zChannels: number;
}

/** The largest factor of a head's queries. */
export const MAX_SCALE = 100;

/**
 * The published layout by its one dial (VAR spec section 3.1): 16, 20, 24, 30 at 256 pixels, 36 with shared
 * modulations at 512.
 */
export function varConfig(
  depth: number,
  { pixels = depth === 36 ? 512 : 256 }: { pixels?: 256 | 512 } = {},
): VarConfig {
  if (!(Number.isInteger(depth) && depth >= 1 && depth <= 200))
    fail("bad depth", { where: "depth", expected: "a whole number of layers from 1 to 200", got: `${depth}` });
  const { codebookSize, zChannels } = MSVQ_PRESETS.vae;
  return {
    model: "var",
    width: 64 * depth,
    depth,
    heads: depth,
    mlpSize: 256 * depth,
    normEps: 1e-6,
    classes: 1000,
    qkNorm: true,
    sharedNorm: pixels === 512,
    sides: SIDES[pixels],
    codebookSize,
    zChannels,
  };
}

const { sides, codebookSize, zChannels } = MSVQ_PRESETS.mini;
const mini: Omit<VarConfig, "width" | "depth" | "heads" | "mlpSize"> = {
  model: "var",
  normEps: 1e-6,
  classes: 64,
  qkNorm: true,
  sharedNorm: true,
  sides,
  codebookSize,
  zChannels,
};

export const VAR_PRESETS = {
  "var-d16": varConfig(16),
  "var-d20": varConfig(20),
  "var-d24": varConfig(24),
  "var-d30": varConfig(30),
  "var-d36-s": varConfig(36),
  /** The drafter of code-mini, and its refiner with about a seventh of the parameters. */
  mini: { ...mini, width: 192, depth: 6, heads: 6, mlpSize: 768 },
  "mini-refiner": { ...mini, width: 88, depth: 3, heads: 4, mlpSize: 352 },
} satisfies Record<string, VarConfig>;

/** Tokens of all scales but the last: those whose keys and values are ever read again. */
export const cachedTokens = (config: { sides: readonly number[] }, scales = config.sides.length): number =>
  scaleOffsets(config)[scales - 1];

/** Scale of every token: buffer `lvl_1L` of published files. */
export const scaleOfTokens = ({ sides }: { sides: readonly number[] }): number[] =>
  sides.flatMap((side, scale) => new Array<number>(side * side).fill(scale));
