import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MSVQ_PRESETS, phiIndices } from "../msvq/index.ts";
import { MSVQ_IGNORED, msvqParameters } from "../msvq/weights.ts";
import type { Shapes } from "../weights.ts";
import { VAR_PRESETS, varConfig } from "./config.ts";
import { varBuffers, varParameters } from "./weights.ts";

/** Names, dtypes and shapes of the published files. */
const published: Record<string, [name: string, dtype: string, shape: number[]][]> = JSON.parse(
  readFileSync(new URL("../../../test/golden-data/var/published_shapes.json", import.meta.url), "utf8"),
);
const sorted = (shapes: Iterable<readonly [string, readonly number[]]>) =>
  [...shapes].map(([name, shape]) => `${name} [${shape}]`).sort();
const count = (shapes: Shapes) => [...shapes.values()].reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0);

test("the published tokenizer has exactly these tensors", () => {
  const stored = published.vae_ch160v4096z32.filter(([name]) => !MSVQ_IGNORED.some((ignored) => ignored === name));
  expect(stored).toHaveLength(published.vae_ch160v4096z32.length - 1);
  const ours = msvqParameters(MSVQ_PRESETS.vae);
  expect(sorted(ours)).toEqual(sorted(stored.map(([name, , shape]) => [name, shape])));
  expect(count(ours)).toBe(108_948_355);
});

test("published transformers have exactly these tensors, constants among them", () => {
  const config = varConfig(16);
  const ours = varParameters(config);
  const buffers = varBuffers(config);
  const stored = published.var_d16.filter(([name]) => !(name in buffers));
  expect(published.var_d16.length - stored.length).toBe(Object.keys(buffers).length);
  expect(sorted(ours)).toEqual(sorted(stored.map(([name, , shape]) => [name, shape])));
});

test.each([
  ["var-d16", 310_283_520],
  ["var-d30", 2_010_020_356],
  ["var-d36-s", 2_353_893_904],
] as const)("%s has as many parameters as its paper says, class rows counted", (name, parameters) => {
  const config = VAR_PRESETS[name];
  expect(count(varParameters(config))).toBe(parameters);
});

test("scales share the published convolutions, ties by float64", () => {
  expect(phiIndices(4, 10)).toEqual([0, 0, 1, 1, 1, 2, 2, 3, 3, 3]);
  expect(phiIndices(4, 14)).toEqual([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]);
  expect(phiIndices(3, 10)).toEqual([0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
  expect(phiIndices(1, 3)).toEqual([0, 0, 0]);
  expect(phiIndices(8, 3)).toEqual([0, 3, 7]);
});
