/** Sizes of a MAGVIT-v2 tokenizer. */

export interface MagvitHalf {
  /** Width of the first level; level i is `ch * chMult[i]` wide. */
  ch: number;
  chMult: readonly number[];
  /** Residual blocks of each level. */
  numResBlocks: readonly number[];
  /** Group norm groups; 0 leaves the norms out, so that a token depends on its neighbourhood alone. */
  groups: number;
  /**
   * For an encoder: kernels that do not overlap (1, and 2 where the resolution halves), so that a token tells of the
   * pixels of its own cell alone. Default false.
   */
  local?: boolean;
  /** Self-attention between the two middle blocks. */
  attention: boolean;
}

export interface MagvitConfig {
  model: "magvit";
  /** Pixels per side of a training picture. */
  resolution: number;
  /** Bits of a token: the codebook has 2^bits entries. */
  bits: number;
  encoder: MagvitHalf;
  decoder: MagvitHalf;
  normEps: number;
}

const full: MagvitConfig = {
  model: "magvit",
  resolution: 256,
  bits: 13,
  encoder: { ch: 128, chMult: [1, 2, 2, 4, 4], numResBlocks: [4, 3, 4, 3, 4], groups: 32, attention: true },
  decoder: { ch: 128, chMult: [1, 1, 2, 2, 4], numResBlocks: [4, 4, 3, 4, 3], groups: 32, attention: true },
  normEps: 1e-6,
};

export const MAGVIT_PRESETS = {
  /** The published tokenizer (Show-o spec section 7), 95.4 M parameters. */
  magvitv2: full,
  "magvitv2-512": { ...full, resolution: 512 },
  /** 64x64 pixels to 8x8 tokens; trained by runs/ on emoji scenes. */
  mini: {
    model: "magvit",
    resolution: 64,
    bits: 12,
    // An object has the same tokens wherever it stands and whatever is behind it.
    encoder: { ch: 16, chMult: [1, 4, 8, 16], numResBlocks: [0, 1, 1, 2], groups: 0, local: true, attention: false },
    decoder: { ch: 16, chMult: [1, 1, 2, 6], numResBlocks: [0, 1, 1, 1], groups: 8, attention: true },
    normEps: 1e-6,
  },
} satisfies Record<string, MagvitConfig>;

/** Pixels per token and side. */
export const downsampling = (config: MagvitConfig): number => 2 ** (config.encoder.chMult.length - 1);
