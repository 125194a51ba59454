/**
 * Residual quantisation over scales (VAR spec section 2.5): each scale quantises what the coarser ones left over, pooled
 * to its own size, and adds its codes enlarged and smoothed. Tian et al., "Visual Autoregressive Modeling" (NeurIPS 2024).
 */
import {
  add,
  argMax,
  concat,
  type Dim,
  gather,
  gemm,
  mean,
  mul,
  reduceSum,
  reshape,
  slice,
  square,
  stopGradient,
  sub,
  type Tensor,
  transpose,
  where,
} from "../../graph/index.ts";
import { conv } from "../../nn/index.ts";
import { latentSide, type MsvqConfig, scaleOffsets } from "./config.ts";
import { resample } from "./resample.ts";

/**
 * Which shared convolution each scale uses: the one whose tick is closest, the first of equals. Two exact ties of the
 * published setting are decided by float64 rounding, so the ticks are computed as NumPy's linspace does.
 */
export function phiIndices(count: number, scales: number): number[] {
  const edge = count === 4 ? 1 / 3 / count : 1 / 2 / count;
  const last = 1 - edge;
  const ticks = Array.from({ length: count }, (_, i) => i * ((last - edge) / (count - 1)) + edge);
  ticks[count - 1] = count === 1 ? edge : last;
  return Array.from({ length: scales }, (_, s) => {
    const at = scales === 1 ? 0 : s / (scales - 1);
    const distances = ticks.map((tick) => Math.abs(tick - at));
    return distances.indexOf(Math.min(...distances));
  });
}

/** The codebook [V, Z]. */
export const codebook = ({ graph }: Tensor, { codebookSize, zChannels }: MsvqConfig): Tensor =>
  graph.scope("quantize.embedding", () => graph.param("weight", [codebookSize, zChannels], { normal: 0.5 }));

/** A map [B, Z, p, p] as rows [B*p*p, Z], cells row by row. */
function rowsOf(map: Tensor): Tensor {
  const [batch, z, h, w] = map.shape as readonly [Dim, number, number, number];
  return reshape(transpose(reshape(map, [batch, z, h * w]), [0, 2, 1]), [-1, z]);
}

/** Code rows [B, p*p, Z] as a map [B, Z, p, p]. */
export function mapOf(codes: Tensor, side: number): Tensor {
  const [batch, , z] = codes.shape;
  return reshape(transpose(codes, [0, 2, 1]), [batch, z, side, side]);
}

/** A map [B, Z, p, p] as tokens [B, p*p, Z]: what a next-scale model reads. */
export function tokensOf(map: Tensor): Tensor {
  const [batch, z, h, w] = map.shape as readonly [Dim, number, number, number];
  return transpose(reshape(map, [batch, z, h * w]), [0, 2, 1]);
}

/** 2 z.e - |e|^2 of every cell and code [B*p*p, V]: the largest is the nearest code. */
export function affinity(map: Tensor, config: MsvqConfig): Tensor {
  const table = codebook(map, config);
  const lengths = reshape(reduceSum(square(table), [1]), [config.codebookSize]);
  return sub(mul(gemm(rowsOf(map), table, { transB: true }), 2), lengths);
}

/** Ids int64 [B, p*p] of the nearest codes by squared Euclidean distance, the first of equals. */
export function nearestCodes(map: Tensor, config: MsvqConfig): Tensor {
  const [batch, , h, w] = map.shape as readonly [Dim, number, number, number];
  return reshape(argMax(affinity(map, config)), [batch, h * w]);
}

/** What the codes h [B, Z, p, p] of a scale add to the picture's feature map [B, Z, P, P]: enlarged, smoothed. */
export function contribution(h: Tensor, scale: number, config: MsvqConfig): Tensor {
  const { sides, zChannels, phi } = config;
  const large = resample(h, "bicubic", latentSide(config));
  const index = phiIndices(phi.count, sides.length)[scale];
  const name = phi.count === 1 ? "qresi" : `qresi_ls.${index}`;
  const smooth = h.graph.scope(`quantize.quant_resi.${name}`, () => conv(large, zChannels));
  return add(mul(large, 1 - phi.ratio), mul(smooth, phi.ratio));
}

export interface QuantizedScale {
  /** What was left over, at this scale [B, Z, p, p]. */
  rest: Tensor;
  /** int64 [B, p*p]. */
  ids: Tensor;
  /** The feature map after this scale [B, Z, P, P]. */
  fHat: Tensor;
}

/** Ids int64 [B, L] that take the place of the nearest ones where `taken`, bool [B, L]. */
export interface Astray {
  ids: Tensor;
  taken: Tensor;
}

/**
 * Quantises a latent [B, Z, P, P] scale by scale. Gradients pass from what is left over to the latent, not to codes. What is
 * led astray is corrected by the scales that follow: their ids are the nearest to what is then left over (Han et al.,
 * "Infinity", 2024, self-correction).
 */
export function quantize(f: Tensor, config: MsvqConfig, astray?: Astray): QuantizedScale[] {
  let rest = f;
  let fHat: Tensor | undefined;
  const offsets = scaleOffsets(config);
  return config.sides.map((side, scale) => {
    const pooled = resample(rest, "area", side);
    const ids = nearestCodes(pooled, config);
    const part = (x: Tensor) => slice(x, 1, offsets[scale], offsets[scale + 1]);
    const used = astray ? where(part(astray.taken), part(astray.ids), ids) : ids;
    const added = contribution(mapOf(gather(codebook(f, config), used), side), scale, config);
    fHat = fHat ? add(fHat, added) : added;
    rest = sub(rest, stopGradient(added));
    return { rest: pooled, ids, fHat };
  });
}

/** One sampling step: the map so far and the codes of a scale -> the map after it. */
export const addScale = (fHat: Tensor, h: Tensor, scale: number, config: MsvqConfig): Tensor =>
  add(fHat, contribution(h, scale, config));

/** What the model reads for the scale after `scale`: the map pooled to its size [B, p*p, Z]. The last has none. */
export const nextInput = (fHat: Tensor, scale: number, { sides }: MsvqConfig): Tensor =>
  tokensOf(resample(fHat, "area", sides[scale + 1]));

/** Inputs of all scales but the first [B, L - l0, Z], as a model is taught with. `fHats` after each scale. */
export const teacherInputs = (fHats: readonly Tensor[], config: MsvqConfig): Tensor =>
  concat(
    fHats.slice(0, config.sides.length - 1).map((fHat, scale) => nextInput(fHat, scale, config)),
    1,
  );

/** Feature maps after each scale of given ids int64 [B, L]: codes are looked up, not searched. */
export function mapsOfIds(ids: readonly Tensor[], config: MsvqConfig): Tensor[] {
  let fHat: Tensor | undefined;
  return ids.map((of, scale) => {
    const added = contribution(mapOf(gather(codebook(of, config), of), config.sides[scale]), scale, config);
    fHat = fHat ? add(fHat, added) : added;
    return fHat;
  });
}

export interface QuantizerTraining {
  /** f_hat whose gradient passes to f as if quantisation were the identity. */
  straight: Tensor;
  /** Mean over scales of beta mse(stop(f_hat_s), f) + mse(f_hat_s, stop(f)). */
  loss: Tensor;
}

/** The quantiser's training forward (VAR spec section 2.5). */
export function quantizerTraining(f: Tensor, scales: readonly QuantizedScale[], beta = 0.25): QuantizerTraining {
  const terms = scales.map(({ fHat }) =>
    add(mul(mean(square(sub(stopGradient(fHat), f))), beta), mean(square(sub(fHat, stopGradient(f))))),
  );
  const last = scales[scales.length - 1].fHat;
  return {
    straight: add(f, stopGradient(sub(last, f))),
    loss: mul(
      terms.reduce((a, b) => add(a, b)),
      1 / scales.length,
    ),
  };
}
