import { expect, test } from "vitest";
import { philox, Rng, uniformAt } from "./rng.ts";

test("philox 4x32-10 gives the published known answers", () => {
  const out = new Uint32Array(4);
  philox(out, 0, 0, 0, 0, 0, 0);
  expect([...out].map((x) => x.toString(16))).toEqual(["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
  philox(out, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0);
  expect([...out].map((x) => x.toString(16))).toEqual(["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]);
});

test("uniforms depend on the key alone and look uniform", () => {
  expect(uniformAt(7, 1, 2, 3)).toBe(uniformAt(7, 1, 2, 3));
  const rng = new Rng(1);
  const xs = Array.from({ length: 20000 }, () => rng.uniform());
  const mean = xs.reduce((a, b) => a + b) / xs.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  expect(Math.abs(xs.reduce((a, b) => a + (b - mean) ** 2, 0) / xs.length - 1 / 12)).toBeLessThan(0.003);
  const resumed = new Rng(1, 0, 19999);
  expect(resumed.uniform()).toBe(xs[19999]);
});
