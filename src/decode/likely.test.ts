import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { canvasOf, type Span, UNDECIDED } from "./contract.ts";
import { keepLikely, likely } from "./likely.ts";
import { argmax } from "./samplers.ts";
import { decodeScales, squareScales } from "./scales.ts";
import { finish } from "./trajectory.ts";

const logits = Float32Array.of(1, 3, 2, 3, 0);

test("top-k keeps the k largest and what equals the last of them", () => {
  const kept = (topK: number) => keepLikely(logits, { topK }).sort();
  expect([0, 1, 2, 3, 4, 5].map(kept)).toEqual([
    [0, 1, 2, 3, 4],
    [1, 3],
    [1, 3],
    [1, 2, 3],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
  ]);
  expect(() => keepLikely(logits, { topK: 6 })).toThrow("larger than the vocabulary");
});

test("top-p drops the unlikely tail whose mass is within 1 - p, never the likeliest", () => {
  // Masses 1/8, 1/8, 1/4, 1/2: what is dropped sums to at most 1 - p.
  const even = Float32Array.of(Math.log(2), Math.log(1), Math.log(4), Math.log(1));
  expect(keepLikely(even, { topP: 0.74 })).toEqual([0, 2]);
  expect(keepLikely(even, { topP: 0.76 })).toEqual([3, 0, 2]);
  expect(keepLikely(even, { topP: 0.01 })).toEqual([2]);
  // The mass is that of what top-k left: 1/3 and 2/3.
  expect(keepLikely(even, { topK: 2, topP: 0.7 })).toEqual([0, 2]);
  expect(keepLikely(even, { topK: 2, topP: 0.6 })).toEqual([2]);
  expect(() => keepLikely(Float32Array.of(0, Number.NaN), {})).toThrow("NaN");
});

test("what is left is what sorting everything leaves", () => {
  const sorted = (logits: Float32Array, topP: number) => {
    const ids = [...logits.keys()].sort((a, b) => logits[a] - logits[b] || a - b);
    const weights = ids.map((id) => Math.exp(logits[id]));
    const total = weights.reduce((a, b) => a + b, 0);
    let [mass, dropped] = [0, 0];
    while (dropped < ids.length - 1 && (mass += weights[dropped]) / total <= 1 - topP) dropped++;
    return ids.slice(dropped);
  };
  const rng = new Rng(5);
  const kept: number[] = [];
  for (let i = 0; i < 60; i++) {
    const spread = 4 * rng.uniform();
    const random = Float32Array.from({ length: 100 }, () => Math.fround(spread * rng.normal()));
    const topP = 0.05 + 0.9 * rng.uniform();
    const ids = keepLikely(random, { topP });
    expect(ids).toEqual(sorted(random, topP));
    kept.push(ids.length);
  }
  expect(Math.min(...kept)).toBeLessThan(5);
  expect(Math.max(...kept)).toBeGreaterThan(60);
});

test("draws follow the filtered distribution, at the temperature of the pass", () => {
  const at = Float32Array.of(0, Math.log(3), -9);
  const share = (pass: number) => {
    let drawn = 0;
    const pick = likely({ topK: 2, temperature: [1, 0.5], noise: (_, row) => row / 1000 });
    for (let row = 0; row < 1000; row++) drawn += pick(at, pass, row, 0);
    return drawn / 1000;
  };
  expect(share(1)).toBeCloseTo(0.75, 2);
  // 3^2 to 1; the last temperature holds for later passes.
  expect(share(2)).toBeCloseTo(0.9, 2);
  expect(share(7)).toBeCloseTo(0.9, 2);
  expect(() => likely({ noise: () => 0, temperature: 0 })).toThrow("temperature");
  expect(() => likely({ noise: () => 0, topP: 1.5 })).toThrow("top-p");
  expect(() => likely({ noise: () => 0, topK: -1 })).toThrow("top-k");
  expect(() => likely({ noise: () => 0, topK: [1, -1] })).toThrow("top-k");
});

test("slots of a scale that are decided keep their id", async () => {
  const model = {
    vocab: 3,
    predict: async (_: unknown, span: Span) =>
      Float32Array.from({ length: (span.end - span.start) * 3 }, (_, i) => Number(i % 3 === 2)),
    settle() {},
  };
  const canvas = canvasOf(1, 5, Int32Array.of(UNDECIDED, 1, UNDECIDED, 0, UNDECIDED));
  const asked: number[] = [];
  const counted = {
    ...model,
    predict(canvas: unknown, span: Span, progress: number) {
      asked.push(progress);
      return model.predict(canvas, span);
    },
  };
  await finish(decodeScales(counted, canvas, { scales: squareScales([1, 2]), total: 5, sample: argmax }));
  expect(asked).toEqual([0, 0.25]);
  const last = await finish(decodeScales(model, canvas, { scales: squareScales([1, 2]), sample: argmax }));
  expect([...last.canvas.ids_BL]).toEqual([2, 1, 2, 0, 2]);
});
