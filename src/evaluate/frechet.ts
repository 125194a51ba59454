/**
 * Fréchet distance between two sets of features, each taken as a normal distribution: |m1 - m2|^2 + tr(C1 + C2 -
 * 2 (C1 C2)^1/2). With the features of an Inception network it is called FID (Heusel et al. 2017); with others it is not,
 * and the figures cannot be compared.
 */
import { fail } from "../base/index.ts";

/** Errors: fewer than two feature vectors in a set, vectors of different lengths. */
export function frechetDistance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const size = a[0]?.length ?? 0;
  if (a.length < 2 || b.length < 2 || [...a, ...b].some((vector) => vector.length !== size))
    fail("no distance between these sets", {
      expected: "two sets of at least two vectors of one length",
      got: `${a.length} and ${b.length} vectors`,
    });
  const [one, two] = [momentsOf(a), momentsOf(b)];
  const apart = one.mean.reduce((sum, m, i) => sum + (m - two.mean[i]) ** 2, 0);
  const trace = (matrix: Float64Array) => Array.from({ length: size }, (_, i) => matrix[i * size + i]).reduce(add, 0);
  // tr (C1 C2)^1/2 = tr (C1^1/2 C2 C1^1/2)^1/2, whose inside is symmetric.
  const root = symmetricRoot(one.covariance, size);
  const inside = product(product(root, two.covariance, size), root, size);
  const overlap = eigen(inside, size).values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  return Math.max(0, apart + trace(one.covariance) + trace(two.covariance) - 2 * overlap);
}

const add = (a: number, b: number) => a + b;

/** Mean and covariance (over n - 1). */
function momentsOf(vectors: readonly Float32Array[]): { mean: Float64Array; covariance: Float64Array } {
  const size = vectors[0].length;
  const mean = new Float64Array(size);
  for (const vector of vectors) for (let i = 0; i < size; i++) mean[i] += vector[i] / vectors.length;
  const covariance = new Float64Array(size * size);
  for (const vector of vectors)
    for (let i = 0; i < size; i++)
      for (let j = 0; j <= i; j++)
        covariance[i * size + j] += ((vector[i] - mean[i]) * (vector[j] - mean[j])) / (vectors.length - 1);
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) covariance[j * size + i] = covariance[i * size + j];
  return { mean, covariance };
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      for (let j = 0; j < n; j++) out[i * n + j] += factor * b[k * n + j];
    }
  return out;
}

/** The symmetric root of a symmetric matrix without negative eigenvalues. */
function symmetricRoot(matrix: Float64Array, n: number): Float64Array {
  const { values, vectors } = eigen(matrix, n);
  const scaled = vectors.slice();
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      scaled[i * n + j] *= Math.sqrt(Math.max(0, values[j]));
      turned[j * n + i] = vectors[i * n + j];
    }
  return product(scaled, turned, n);
}

const MAX_SWEEPS = 60;

/** Eigenvalues of a symmetric matrix and its eigenvectors as columns: cyclic Jacobi rotations. */
function eigen(matrix: Float64Array, n: number): { values: number[]; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const total = a.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off += a[p * n + q] ** 2;
    if (off <= 1e-22 * total) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q];
        if (apq === 0) continue;
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        for (let k = 0; k < n; k++) rotate(a, k * n + p, k * n + q, c, t * c);
        for (let k = 0; k < n; k++) rotate(a, p * n + k, q * n + k, c, t * c);
        for (let k = 0; k < n; k++) rotate(vectors, k * n + p, k * n + q, c, t * c);
      }
  }
  return { values: Array.from({ length: n }, (_, i) => a[i * n + i]), vectors };
}

function rotate(x: Float64Array, i: number, j: number, c: number, s: number): void {
  const [xi, xj] = [x[i], x[j]];
  x[i] = c * xi - s * xj;
  x[j] = s * xi + c * xj;
}
