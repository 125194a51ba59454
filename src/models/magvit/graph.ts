/**
 * MAGVIT-v2 as graph functions: pixels [B, 3, H, W] in [-1, 1] to latents [B, bits, H/f, W/f] and back.
 * Show-o spec section 7. Names match the published state dict.
 */
import {
  add,
  matmul,
  mul,
  pad,
  reshape,
  silu,
  softmax,
  type Tensor,
  transposeLast,
  upsampleNearest2,
} from "../../graph/index.ts";
import { conv, groupNorm } from "../../nn/index.ts";
import type { MagvitConfig, MagvitHalf } from "./config.ts";

type Block = { groups: number; eps: number; kernel: number };

const blockOf = ({ groups, local }: MagvitHalf, { normEps }: MagvitConfig): Block => ({
  groups,
  eps: normEps,
  kernel: local ? 1 : 3,
});

const named = <T>(x: Tensor, name: string, build: () => T) => x.graph.scope(name, build);

function norm(x: Tensor, name: string, { groups, eps }: Block): Tensor {
  return groups ? named(x, name, () => groupNorm(x, groups, eps)) : x;
}

function residualBlock(x: Tensor, out: number, block: Block): Tensor {
  const first = silu(norm(x, "norm1", block));
  const middle = silu(
    norm(
      named(x, "conv1", () => conv(first, out, block)),
      "norm2",
      block,
    ),
  );
  const branch = named(x, "conv2", () => conv(middle, out, block));
  return add(x.shape[1] === out ? x : named(x, "nin_shortcut", () => conv(x, out, { kernel: 1 })), branch);
}

/** Single-head attention over all positions. */
function attentionBlock(x: Tensor, block: Block): Tensor {
  const [batch, channels, height, width] = x.shape as readonly number[];
  const h = norm(x, "norm", block);
  const project = (name: string) =>
    reshape(
      named(x, name, () => conv(h, channels, { kernel: 1 })),
      [batch, channels, height * width],
    );
  const scores = mul(matmul(transposeLast(project("q")), project("k")), channels ** -0.5);
  const mixed = matmul(project("v"), transposeLast(softmax(scores)));
  const folded = reshape(mixed, [batch, channels, height, width]);
  return add(
    x,
    named(x, "proj_out", () => conv(folded, channels, { kernel: 1 })),
  );
}

function middle(x: Tensor, half: MagvitHalf, block: Block): Tensor {
  const width = x.shape[1] as number;
  return named(x, "mid", () => {
    let h = named(x, "block_1", () => residualBlock(x, width, block));
    if (half.attention) h = named(x, "attn_1", () => attentionBlock(h, block));
    return named(x, "block_2", () => residualBlock(h, width, block));
  });
}

/** Pixels [B, 3, H, W] -> z [B, bits, H/f, W/f] before quantisation; bit c of a token is z_c > 0. */
export function encodePixels(pixels: Tensor, config: MagvitConfig): Tensor {
  const half = config.encoder;
  const block = blockOf(half, config);
  return named(pixels, "encoder", () => {
    let h = named(pixels, "conv_in", () => conv(pixels, half.ch, block));
    for (const [level, mult] of half.chMult.entries())
      named(pixels, `down.${level}`, () => {
        for (let i = 0; i < half.numResBlocks[level]; i++)
          h = named(pixels, `block.${i}`, () => residualBlock(h, half.ch * mult, block));
        if (level < half.chMult.length - 1) h = named(pixels, "downsample.conv", () => downsample(h, half.local));
      });
    h = silu(norm(middle(h, half, block), "norm_out", block));
    h = named(pixels, "conv_out", () => conv(h, config.bits, block));
    return named(pixels, "quant_conv", () => conv(h, config.bits, { kernel: 1 }));
  });
}

/** Stride 2: kernel 3 after one column of zeros on the right and one row below, or blocks of 2x2. */
function downsample(x: Tensor, local = false): Tensor {
  const channels = x.shape[1] as number;
  if (local) return conv(x, channels, { kernel: 2, stride: 2, pads: [0, 0, 0, 0] });
  return conv(pad(x, [0, 0, 0, 0], [0, 0, 1, 1]), channels, { stride: 2, pads: [0, 0, 0, 0] });
}

/** Quantised codes [B, bits, h, w] of +-1 -> pixels [B, 3, h*f, w*f], about [-1, 1]. */
export function decodeCodes(codes: Tensor, config: MagvitConfig): Tensor {
  const half = config.decoder;
  const block = blockOf(half, config);
  const levels = half.chMult.length;
  return named(codes, "decoder", () => {
    const z = named(codes, "post_quant_conv", () => conv(codes, config.bits, { kernel: 1 }));
    let h = named(codes, "conv_in", () => conv(z, half.ch * half.chMult[levels - 1]));
    h = middle(h, half, block);
    for (let level = levels - 1; level >= 0; level--)
      named(codes, `up.${level}`, () => {
        for (let i = 0; i < half.numResBlocks[level]; i++)
          h = named(codes, `block.${i}`, () => residualBlock(h, half.ch * half.chMult[level], block));
        if (level > 0) h = named(codes, "upsample.conv", () => conv(upsampleNearest2(h), h.shape[1] as number));
      });
    h = silu(norm(h, "norm_out", block));
    return named(codes, "conv_out", () => conv(h, 3, block));
  });
}
