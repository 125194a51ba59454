import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { frechetDistance } from "./frechet.ts";

const set = (...vectors: number[][]) => vectors.map((vector) => Float32Array.from(vector));

test("in one dimension it is the difference of means and of deviations, squared", () => {
  // Means 1 and 4, variances (n - 1) 2 and 8.
  expect(frechetDistance(set([0], [2]), set([2], [6]))).toBeCloseTo(9 + (Math.sqrt(8) - Math.sqrt(2)) ** 2, 10);
});

test("a set is at no distance from itself, and a shift adds its square", () => {
  const rng = new Rng(3);
  const vectors = Array.from({ length: 40 }, () => Array.from({ length: 12 }, () => rng.normal()));
  const moved = vectors.map((vector) => vector.map((x, i) => x + (i < 2 ? 3 : 0)));
  expect(frechetDistance(set(...vectors), set(...vectors))).toBeLessThan(1e-9);
  expect(frechetDistance(set(...vectors), set(...moved))).toBeCloseTo(18, 4);
});

test("covariances that do not commute: checked by the closed form of two by two matrices", () => {
  // Covariances [[2, 2], [2, 2]] (rank 1) and diag(2, 8) with equal means; by the closed form for 2 x 2:
  // tr (AB)^1/2 = sqrt(tr AB + 2 sqrt(det AB)) = sqrt(20 + 0).
  const a = set([-1, -1], [1, 1]);
  const b = set([-1, -2], [-1, 2], [1, -2], [1, 2]).map((v) => v.map((x) => x * Math.sqrt(1.5)));
  // The mean of squares over n - 1 = 3: 4 * 1.5 / 3 = 2 and 4 * 4 * 1.5 / 3 = 8.
  expect(frechetDistance(a, b)).toBeCloseTo(4 + 10 - 2 * Math.sqrt(20), 5);
});

test("sets that cannot be compared are refused", () => {
  expect(() => frechetDistance(set([1]), set([1], [2]))).toThrow(/two sets of at least two vectors/);
  expect(() => frechetDistance(set([1], [2]), set([1, 2], [2, 3]))).toThrow(/of one length/);
});
