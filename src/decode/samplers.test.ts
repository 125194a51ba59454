/** Samplers against naive twins, and the statistics of what they draw. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { argmax, categorical, probabilityOf, schedule, scheduledLength, seeded } from "./index.ts";

/** The rule in words, without care for speed. */
function naive(logits: Float32Array, u: number, temperature: number, topK?: number): number {
  const order = [...logits.keys()];
  if (topK !== undefined && topK < logits.length) order.sort((a, b) => logits[b] - logits[a] || a - b);
  const kept = order.slice(0, topK);
  const max = Math.max(...logits);
  const weights = kept.map((id) => Math.exp((logits[id] - max) / temperature));
  const total = weights.reduce((a, b) => a + b);
  let sum = 0;
  const reached = weights.map((w) => (sum += w) <= u * total).filter(Boolean).length;
  return kept[Math.min(reached, kept.length - 1)];
}

const logits = fc
  .array(fc.oneof(fc.float({ min: -20, max: 20, noNaN: true }), fc.integer({ min: -2, max: 2 })), {
    minLength: 1,
    maxLength: 90,
  })
  .map((xs) => Float32Array.from(xs));
const uniform = fc.integer({ min: 0, max: 2 ** 24 - 1 }).map((n) => n / 2 ** 24);

test("categorical equals its naive twin, ties and all", () =>
  fc.assert(
    fc.property(
      logits,
      uniform,
      fc.constantFrom(0.3, 1, 2),
      fc.integer({ min: 1, max: 99 }),
      (xs, u, temperature, topK) => {
        const noise = () => u;
        expect(categorical({ noise, temperature, topK })(xs, 1, 0, 0)).toBe(naive(xs, u, temperature, topK));
        expect(categorical({ noise, temperature })(xs, 1, 0, 0)).toBe(naive(xs, u, temperature));
        expect(categorical({ noise, topK: 1 })(xs, 1, 0, 0)).toBe(argmax(xs, 1, 0, 0));
      },
    ),
    { numRuns: 500 },
  ));

test("a uniform on the edge of two ids takes the second", () => {
  expect(categorical({ noise: () => 0.5 })(Float32Array.of(0, 0), 1, 0, 0)).toBe(1);
  expect(categorical({ noise: () => 0.5, topK: 2 })(Float32Array.of(0, 3, 3), 1, 0, 0)).toBe(2);
  expect(categorical({ noise: () => 1 })(Float32Array.of(0, 0), 1, 0, 0)).toBe(1);
});

test("one sampler serves slots of any order and size", () => {
  const sample = categorical({ noise: () => 0.5, topK: 3 });
  const [small, large] = [Float32Array.of(0, 1), Float32Array.of(5, 1, 2, 3, 4)];
  const first = [sample(large, 1, 0, 0), sample(small, 1, 0, 0)];
  expect([sample(small, 1, 0, 0), sample(large, 1, 0, 0)]).toEqual(first.reverse());
});

test("draws follow the softmax", () => {
  const xs = Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log);
  const count = (topK?: number) => {
    const sample = categorical({ noise: seeded(3, "sample"), topK });
    const counts = [0, 0, 0, 0];
    for (let slot = 0; slot < 20000; slot++) counts[sample(xs, 1, 0, slot)]++;
    return counts.map((n) => n / 20000);
  };
  const off = (got: number[], want: number[]) => Math.max(...got.map((x, i) => Math.abs(x - want[i])));
  expect(off(count(), [0.1, 0.2, 0.3, 0.4])).toBeLessThan(0.012);
  expect(off(count(2), [0, 0, 3 / 7, 4 / 7])).toBeLessThan(0.012);
});

test("probabilityOf is the softmax in float32", () => {
  const xs = Float32Array.of(1, 2, 3);
  expect(probabilityOf(xs, 2)).toBe(Math.fround(Math.E ** 2 / (1 + Math.E + Math.E ** 2)));
  expect(probabilityOf(Float32Array.of(900, -900), 0)).toBe(1);
  expect(probabilityOf(Float32Array.of(0, -Infinity), 1)).toBe(0);
});

test("logits that are not numbers are refused", () => {
  for (const bad of [[Number.NaN, 1], [1, Number.NaN], [1, Infinity], [-Infinity, -Infinity], []])
    expect(() => argmax(Float32Array.from(bad), 1, 0, 0)).toThrow(/the model returned/);
});

test("options out of range are refused", () => {
  const noise = () => 0;
  for (const topK of [0, -1, 1.5, Number.NaN]) expect(() => categorical({ noise, topK })).toThrow(/top-k/);
  for (const temperature of [0, -1, Number.NaN, Infinity])
    expect(() => categorical({ noise, temperature })).toThrow(/temperature/);
  expect(() => seeded(0.5, "sample")).toThrow(/whole number/);
  expect(() => seeded([1], "sample")(1, 1, 0)).toThrow(/fewer seeds than rows/);
});

test("noise is keyed by seed, purpose, pass and slot; row r of seed s is row 0 of seed s + r", () => {
  const at = seeded(7, "sample");
  expect(at(1, 2, 5)).toBe(seeded(9, "sample")(1, 0, 5));
  expect(at(1, 1, 5)).toBe(seeded([3, 8], "sample")(1, 1, 5));
  const keys = [
    at(1, 0, 0),
    at(2, 0, 0),
    at(1, 0, 1),
    at(1, 1, 0),
    seeded(7, "remask")(1, 0, 0),
    seeded(7, "guess")(1, 0, 0),
  ];
  expect(new Set(keys).size).toBe(6);
});

test("mask lengths are rounded to float32 before they are cut", () => {
  expect(scheduledLength(schedule("linear"), 1 / 6, 36)).toBe(30);
  expect(scheduledLength(schedule("cosine"), 2 / 3, 256)).toBe(127);
  expect(scheduledLength(schedule("cosine"), 1, 256)).toBe(-1);
});

test("schedules fall from 1 to 0, by name or as a function", () => {
  for (const name of ["cosine", "linear", "sigmoid", "pow2", "pow0.5"] as const) {
    const gamma = schedule(name);
    expect(gamma(0)).toBe(1);
    expect(gamma(1)).toBe(name === "cosine" ? Math.fround(-4.371138828673793e-8) : Math.fround(1e-6));
    for (let t = 0; t < 1; t += 0.05) expect(gamma(t)).toBeGreaterThan(gamma(t + 0.05));
  }
  expect(schedule((t) => t)(0.3)).toBe(0.3);
  for (const bad of ["Cosine", "pow", "pow0", "pow-1", "constructor", ""])
    expect(() => schedule(bad as "cosine")).toThrow(/unknown mask schedule/);
});
