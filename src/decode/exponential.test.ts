import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { exponential } from "./exponential.ts";

test("agrees with Math.exp wherever softmax asks", () => {
  const rng = new Rng(1);
  let worst = 0;
  for (let i = 0; i < 100_000; i++) {
    const x = -(10 ** (6 * rng.uniform() - 3.2));
    if (x > -708) worst = Math.max(worst, Math.abs(exponential(x) / Math.exp(x) - 1));
  }
  expect(worst).toBeGreaterThan(0);
  expect(worst).toBeLessThan(2e-13);
});

test.each([
  [0, 1],
  [-1e-300, 1],
  [-708.5, 0],
  [-Infinity, 0],
  [Number.NaN, Number.NaN],
])("of %d it is %d", (x, y) => expect(exponential(x)).toBe(y));
