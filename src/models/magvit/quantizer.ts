/**
 * Lookup-free quantisation: a latent's signs are its token's bits, channel 0 the most significant.
 * Yu et al., "Language Model Beats Diffusion: Tokenizer is Key to Visual Generation" (MAGVIT-v2), section 3.1.
 */
import { f32 } from "../../base/index.ts";
import {
  add,
  cast,
  div,
  gather,
  gemm,
  greater,
  log,
  matmul,
  maximum,
  mean,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sigmoid,
  slice,
  softmax,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from "../../graph/index.ts";

/** +-1 codes of a latent; zero counts as -1. No gradient flows through it: see `straightThrough`. */
export const quantize = (z: Tensor): Tensor => sub(mul(cast(greater(z, 0), "float32"), 2), 1);

/** Codes whose gradient passes to `z` as if quantisation were the identity. */
export const straightThrough = (z: Tensor): Tensor => add(z, stopGradient(sub(quantize(z), z)));

/** Codebook [2^bits, bits]: row i holds the bits of i as +-1. A buffer of the published state dict. */
export function codebook(bits: number): Float32Array {
  const rows = 2 ** bits;
  const table = new Float32Array(rows * bits);
  for (let i = 0; i < rows; i++)
    for (let c = 0; c < bits; c++) table[i * bits + c] = (i >> (bits - 1 - c)) & 1 ? 1 : -1;
  return table;
}

/** Place values of the bits: [2^(bits-1), ..., 2, 1]. A buffer of the published state dict. */
export const powers = (bits: number): number[] => Array.from({ length: bits }, (_, c) => 2 ** (bits - 1 - c));

/** Latent [B, bits, h, w] -> token ids int64 [B, h*w], row-major. */
export function tokenIds(z: Tensor): Tensor {
  const [batch, bits, height, width] = z.shape as readonly number[];
  const rows = transpose(reshape(cast(greater(z, 0), "float32"), [batch, bits, height * width]), [0, 2, 1]);
  const weights = z.graph.constant(f32([bits, 1], powers(bits)));
  return cast(reshape(matmul(rows, weights), [batch, height * width]), "int64");
}

/** Token ids int64 [B, h*w] -> codes [B, bits, h, w]. */
export function codesOf(ids: Tensor, bits: number, height: number, width: number): Tensor {
  const table = ids.graph.constant(f32([2 ** bits, bits], codebook(bits)));
  return reshape(transpose(gather(table, ids), [0, 2, 1]), [ids.shape[0], bits, height, width]);
}

export interface QuantizerLosses {
  /** 0.1 * (1 + beta) * mean((z_q - z)^2): pulls latents towards their codes. */
  commitment: Tensor;
  /** 0.1 * (mean entropy of a bit - entropy of the mean bit): sure bits, evenly used. */
  entropy: Tensor;
}

/** Training terms of the quantiser (Show-o spec section 7). `z` [B, bits, h, w]. */
export function quantizerLosses(z: Tensor, { beta = 0.25, weight = 0.1, entropyWeight = 0.1 } = {}): QuantizerLosses {
  const bits = z.shape[1] as number;
  const commitment = mul(mean(square(sub(quantize(z), z))), weight * (1 + beta));
  // p(+1) under logits -(z-1)^2 and -(z+1)^2 is sigmoid(4z).
  const p = sigmoid(mul(z, 4));
  const average = reduceMean(reshape(transpose(p, [1, 0, 2, 3]), [bits, -1]), [1]);
  return { commitment, entropy: mul(sub(mean(bitEntropy(p)), mean(bitEntropy(average))), entropyWeight) };
}

/** -p ln p - (1-p) ln(1-p), safe at 0 and 1. */
function bitEntropy(p: Tensor): Tensor {
  const term = (x: Tensor) => mul(x, log(maximum(x, 1e-8)));
  return neg(add(term(p), term(sub(1, p))));
}

/**
 * The entropy term over whole codes instead of single bits, which alone would let all bits say the same:
 * 0.1 * (mean entropy of a cell's code - entropy of the mean code). `focus` float32 [B*h*w] says how much each cell
 * counts, so that plain backgrounds do not claim the codebook.
 */
export function codeEntropy(z: Tensor, focus: Tensor, weight = 0.1): Tensor {
  const [batch, bits, height, width] = z.shape as readonly number[];
  const cells = batch * height * width;
  const rows = reshape(transpose(reshape(z, [batch, bits, height * width]), [0, 2, 1]), [cells, bits]);
  const share = reshape(div(focus, sum(focus)), [cells, 1]);
  // Bits are independent given a cell: its entropy is theirs, and its p(code) a product of two halves, so that the mean
  // over cells is one small product of matrices instead of a table [cells, 2^bits].
  const half = bits >> 1;
  const [high, low] = [slice(rows, 1, 0, half), slice(rows, 1, half, bits)].map(codeProbabilities);
  const average = gemm(mul(high, share), low, { transA: true });
  const ofCells = sum(mul(reduceSum(bitEntropy(sigmoid(mul(rows, 4))), [1], true), share));
  const ofAverage = neg(sum(mul(average, log(maximum(average, 1e-9)))));
  return mul(sub(ofCells, ofAverage), weight);
}

/** Latents [cells, n] -> probabilities of the 2^n codes, [cells, 2^n]. */
function codeProbabilities(rows: Tensor): Tensor {
  const bits = rows.shape[1] as number;
  const table = rows.graph.constant(f32([2 ** bits, bits], codebook(bits)));
  // log p(code) up to its normaliser: the sum of +-2z over the bits, as -(z-1)^2 and -(z+1)^2 differ by 4z.
  return softmax(mul(gemm(rows, table, { transB: true }), 2));
}
