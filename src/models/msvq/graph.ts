/**
 * The multi-scale VQVAE as graph functions: pixels [B, 3, H, W] in [-1, 1] to latents [B, Z, P, P] and back. Its
 * quantiser is in quantizer.ts. VAR spec section 2; names match the published state dict.
 */
import {
  add,
  type Dim,
  matmul,
  mul,
  pad,
  reshape,
  silu,
  slice,
  softmax,
  type Tensor,
  transposeLast,
} from "../../graph/index.ts";
import { conv, enlargedConv, groupNorm } from "../../nn/index.ts";
import type { MsvqConfig, MsvqHalf } from "./config.ts";

type Block = { groups: number; eps: number };

const named = <T>(x: Tensor, name: string, build: () => T) => x.graph.scope(name, build);

function norm(x: Tensor, name: string, { groups, eps }: Block): Tensor {
  return groups ? named(x, name, () => groupNorm(x, groups, eps)) : x;
}

function residualBlock(x: Tensor, out: number, block: Block): Tensor {
  const first = silu(norm(x, "norm1", block));
  const between = named(x, "conv1", () => conv(first, out));
  const second = silu(norm(between, "norm2", block));
  const branch = named(x, "conv2", () => conv(second, out));
  return add(x.shape[1] === out ? x : named(x, "nin_shortcut", () => conv(x, out, { kernel: 1 })), branch);
}

/** Single-head attention over all positions. */
export function attentionBlock(x: Tensor, block: Block): Tensor {
  const [batch, channels, height, width] = x.shape as readonly [Dim, number, number, number];
  const h = norm(x, "norm", block);
  const qkv = reshape(
    named(x, "qkv", () => conv(h, 3 * channels, { kernel: 1 })),
    [batch, 3 * channels, height * width],
  );
  const [q, k, v] = [0, 1, 2].map((i) => slice(qkv, 1, i * channels, (i + 1) * channels));
  const scores = softmax(mul(matmul(transposeLast(q), k), channels ** -0.5));
  const mixed = reshape(matmul(v, transposeLast(scores)), [batch, channels, height, width]);
  return add(
    x,
    named(x, "proj_out", () => conv(mixed, channels, { kernel: 1 })),
  );
}

function middle(x: Tensor, half: MsvqHalf, block: Block): Tensor {
  const width = Number(x.shape[1]);
  return named(x, "mid", () => {
    let h = named(x, "block_1", () => residualBlock(x, width, block));
    if (half.attention) h = named(x, "attn_1", () => attentionBlock(h, block));
    return named(x, "block_2", () => residualBlock(h, width, block));
  });
}

/** The residual blocks of one level, with attention where the level is the smallest. */
function level(x: Tensor, index: number, half: MsvqHalf, block: Block): Tensor {
  let h = x;
  const attends = half.attention && index === half.chMult.length - 1;
  for (let i = 0; i < half.numResBlocks[index]; i++) {
    h = named(x, `block.${i}`, () => residualBlock(h, half.ch * half.chMult[index], block));
    if (attends) h = named(x, `attn.${i}`, () => attentionBlock(h, block));
  }
  return h;
}

/** Pixels [B, 3, H, W] -> what the encoder says [B, Z, H/f, W/f], before `quant_conv`. */
export function encodePixels(pixels: Tensor, config: MsvqConfig): Tensor {
  const half = config.encoder;
  const block = { groups: half.groups, eps: config.normEps };
  return named(pixels, "encoder", () => {
    let h = named(pixels, "conv_in", () => conv(pixels, half.ch));
    for (const index of half.chMult.keys())
      named(pixels, `down.${index}`, () => {
        h = level(h, index, half, block);
        if (index < half.chMult.length - 1) h = named(pixels, "downsample.conv", () => downsample(h));
      });
    h = silu(norm(middle(h, half, block), "norm_out", block));
    return named(pixels, "conv_out", () => conv(h, config.zChannels));
  });
}

/** The latent f that the quantiser approximates. */
export const quantConv = (encoded: Tensor, { zChannels }: MsvqConfig): Tensor =>
  named(encoded, "quant_conv", () => conv(encoded, zChannels));

/** Pixels [B, 3, H, W] -> f [B, Z, H/f, W/f]. */
export const latentOf = (pixels: Tensor, config: MsvqConfig): Tensor => quantConv(encodePixels(pixels, config), config);

/** Stride 2 after one column of zeros on the right and one row below. */
export function downsample(x: Tensor): Tensor {
  const padded = pad(x, [0, 0, 0, 0], [0, 0, 1, 1]);
  return conv(padded, Number(x.shape[1]), { stride: 2, pads: [0, 0, 0, 0] });
}

export const postQuantConv = (fHat: Tensor, { zChannels }: MsvqConfig): Tensor =>
  named(fHat, "post_quant_conv", () => conv(fHat, zChannels));

/** What `postQuantConv` gives [B, Z, P, P] -> pixels [B, 3, P*f, P*f], about [-1, 1]. */
export function decodeMap(map: Tensor, config: MsvqConfig): Tensor {
  const half = config.decoder;
  const block = { groups: half.groups, eps: config.normEps };
  const levels = half.chMult.length;
  return named(map, "decoder", () => {
    let h = named(map, "conv_in", () => conv(map, half.ch * half.chMult[levels - 1]));
    h = middle(h, half, block);
    for (let index = levels - 1; index >= 0; index--)
      named(map, `up.${index}`, () => {
        h = level(h, index, half, block);
        if (index > 0) h = named(map, "upsample.conv", () => enlargedConv(h, Number(h.shape[1])));
      });
    h = silu(norm(h, "norm_out", block));
    return named(map, "conv_out", () => conv(h, 3));
  });
}

/** Feature maps [B, Z, P, P] -> pixels, about [-1, 1]. */
export const pixelsOf = (fHat: Tensor, config: MsvqConfig): Tensor => decodeMap(postQuantConv(fHat, config), config);
