/**
 * Resampling as products with matrices, so that it is exact, differentiable and runs wherever a product does (VAR spec
 * section 2.6: corners not aligned, no antialiasing). Row o of a matrix [to, from] says what output o is made of.
 */
import { f32, type NdArray } from "../../base/index.ts";
import { matmul, type Tensor, transposeLast } from "../../graph/index.ts";

export type ResampleMode = "bicubic" | "area" | "bilinear" | "nearest";

/** Weights of one output: pairs of input index and weight; indices off the edge count as the edge. */
type Taps = (o: number, from: number, to: number) => [at: number, weight: number][];

const A = -0.75;
const cubic = (u: number): number => (u <= 1 ? ((A + 2) * u - (A + 3)) * u * u + 1 : (((u - 5) * u + 8) * u - 4) * A);

const centre = (o: number, from: number, to: number) => ((o + 0.5) * from) / to - 0.5;

const TAPS: Record<ResampleMode, Taps> = {
  bicubic(o, from, to) {
    const x = centre(o, from, to);
    const k = Math.floor(x);
    return [-1, 0, 1, 2].map((i) => [k + i, cubic(Math.abs(x - k - i))]);
  },
  /** Mean of all inputs that the output overlaps, unweighted. */
  area(o, from, to) {
    const start = Math.floor((o * from) / to);
    const end = Math.ceil(((o + 1) * from) / to);
    return Array.from({ length: end - start }, (_, i) => [start + i, 1 / (end - start)]);
  },
  bilinear(o, from, to) {
    const x = Math.max(0, centre(o, from, to));
    const k = Math.floor(x);
    return [
      [k, 1 - (x - k)],
      [k + 1, x - k],
    ];
  },
  nearest: (o, from, to) => [[Math.floor((o * from) / to), 1]],
};

/** [to, from]. */
export function resampleMatrix(mode: ResampleMode, from: number, to: number): NdArray<"float32"> {
  const matrix = f32([to, from]);
  for (let o = 0; o < to; o++)
    for (const [at, weight] of TAPS[mode](o, from, to))
      matrix.data[o * from + Math.min(from - 1, Math.max(0, at))] += weight;
  return matrix;
}

/** [..., H, W] -> [..., height, width]. */
export function resample(x: Tensor, mode: ResampleMode, height: number, width = height): Tensor {
  const [h, w] = x.shape.slice(-2).map(Number);
  if (h === height && w === width) return x;
  const constant = (from: number, to: number) => x.graph.constant(resampleMatrix(mode, from, to));
  return matmul(constant(h, height), matmul(x, transposeLast(constant(w, width))));
}

/** One plane [side, side] to [to, to], on the host: masks. */
export function resamplePlane(plane: ArrayLike<number>, side: number, mode: ResampleMode, to: number): Float32Array {
  const { data: weights } = resampleMatrix(mode, side, to);
  const out = new Float32Array(to * to);
  for (let y = 0; y < to; y++)
    for (let x = 0; x < to; x++) {
      let sum = 0;
      for (let v = 0; v < side; v++)
        for (let u = 0; u < side; u++) sum += weights[y * side + v] * weights[x * side + u] * plane[v * side + u];
      out[y * to + x] = sum;
    }
  return out;
}
