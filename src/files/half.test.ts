import fc from "fast-check";
import { expect, test } from "vitest";
import { f32, i64 } from "../base/index.ts";
import { fromFloat16, narrow, toFloat16, widen } from "./index.ts";

const all = fromFloat16(Uint16Array.from({ length: 65536 }, (_, i) => i));

test("known values", () => {
  expect([0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x7c00].map((h) => all[h])).toEqual([
    1,
    -2,
    65504,
    2 ** -14,
    2 ** -24,
    Number.POSITIVE_INFINITY,
  ]);
  expect([...toFloat16(Float32Array.of(65519, 65520, -1e9, 2 ** -25, 2 ** -25 * 1.001, -0))]).toEqual([
    0x7bff, 0x7c00, 0xfc00, 0, 1, 0x8000,
  ]);
});

test("every half survives float32 and back", () => {
  const back = toFloat16(all);
  const isNaN16 = (h: number) => (h & 0x7fff) > 0x7c00;
  for (let h = 0; h < 65536; h++)
    if (isNaN16(h) ? !isNaN16(back[h]) : back[h] !== h)
      expect.fail(`0x${h.toString(16)} became 0x${back[h].toString(16)}`);
});

test("rounds to the nearest half, ties to even", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x7bfe }), fc.constantFrom(-1, 0, 1), (h, side) => {
      const middle = (all[h] + all[h + 1]) / 2;
      const bits = new Uint32Array(Float32Array.of(middle).buffer);
      bits[0] += side;
      const even = h % 2 === 0 ? h : h + 1;
      expect(toFloat16(new Float32Array(bits.buffer))[0]).toBe(side < 0 ? h : side > 0 ? h + 1 : even);
    }),
    { numRuns: 2000 },
  );
});

test("arrays widen and narrow", () => {
  const array = f32([2, 1], [0.5, -3]);
  expect(widen(narrow(array))).toEqual(array);
  expect(widen(array)).toBe(array);
  expect(() => widen(i64([1], [1]))).toThrow("only floating point");
});
