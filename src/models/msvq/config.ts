/** Sizes of a multi-scale VQVAE: the tokenizer of next-scale models. */

/** An encoder or a decoder. */
export interface MsvqHalf {
  /** Width of the first level; level i is `ch * chMult[i]` wide. */
  ch: number;
  chMult: readonly number[];
  /** Residual blocks of each level. */
  numResBlocks: readonly number[];
  /** Group norm groups; 0 leaves the norms out, so that a latent depends on its neighbourhood alone. */
  groups: number;
  /** Self-attention after each block of the smallest level and between the two middle blocks. */
  attention: boolean;
}

export interface MsvqConfig {
  model: "msvq";
  encoder: MsvqHalf;
  decoder: MsvqHalf;
  normEps: number;
  /** Width of a code. */
  zChannels: number;
  /** Codes in the codebook. */
  codebookSize: number;
  /** Cells per side of each scale, coarse to fine; the last is the side of the latent. */
  sides: readonly number[];
  /** Convolutions that the scales share, and the share of them in what a code adds. */
  phi: { count: number; ratio: number };
}

const CHANNELS = { ch: 160, chMult: [1, 1, 2, 2, 4], groups: 32, attention: true };

/** Sides of the published scales by the pixels of a picture (VAR spec section 1). */
export const SIDES = {
  256: [1, 2, 3, 4, 5, 6, 8, 10, 13, 16],
  512: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32],
} as const;

export const MSVQ_PRESETS = {
  /** The published tokenizer, vae_ch160v4096z32 (VAR spec section 2), 108.9 M parameters. */
  vae: {
    model: "msvq",
    encoder: { ...CHANNELS, numResBlocks: [2, 2, 2, 2, 2] },
    decoder: { ...CHANNELS, numResBlocks: [3, 3, 3, 3, 3] },
    normEps: 1e-6,
    zChannels: 32,
    codebookSize: 4096,
    sides: SIDES[256],
    phi: { count: 4, ratio: 0.5 },
  },
  /** 64x64 pixels to scales of up to 8x8 codes; trained by runs/ on scenes of one object. */
  mini: {
    model: "msvq",
    encoder: { ch: 16, chMult: [1, 2, 4, 4], numResBlocks: [0, 1, 1, 1], groups: 0, attention: false },
    decoder: { ch: 16, chMult: [1, 2, 4, 8], numResBlocks: [0, 1, 1, 1], groups: 8, attention: true },
    normEps: 1e-6,
    zChannels: 16,
    codebookSize: 512,
    sides: [1, 2, 3, 4, 6, 8],
    phi: { count: 4, ratio: 0.5 },
  },
} satisfies Record<string, MsvqConfig>;

/** The same tokenizer for pictures of another size: published weights serve 256 and 512 pixels alike. */
export const withSides = (config: MsvqConfig, sides: readonly number[]): MsvqConfig => ({ ...config, sides });

/** Pixels per cell of the latent and side. */
export const cellPixels = (config: MsvqConfig): number => 2 ** (config.encoder.chMult.length - 1);

/** Cells per side of the latent. */
export const latentSide = ({ sides }: MsvqConfig): number => sides[sides.length - 1];

/** Pixels per side of a picture. */
export const pictureSide = (config: MsvqConfig): number => latentSide(config) * cellPixels(config);

/** Tokens of all scales together. */
export const tokenCount = ({ sides }: { sides: readonly number[] }): number => sides.reduce((n, p) => n + p * p, 0);

/** First token of each scale, and the end of the last. */
export function scaleOffsets({ sides }: { sides: readonly number[] }): number[] {
  const offsets = [0];
  for (const side of sides) offsets.push(offsets[offsets.length - 1] + side * side);
  return offsets;
}
