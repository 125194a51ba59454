/** The tokenizer against recorded values of the reference (tiny weights). */
import { expect, test } from "vitest";
import { f32, Rng, sizeOf } from "../../base/index.ts";
import { readSafetensors } from "../../files/index.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { MAGVIT_PRESETS, type MagvitConfig } from "./config.ts";
import { decodeCodes, encodePixels } from "./graph.ts";
import { codebook, codeEntropy, codesOf, quantizerLosses, tokenIds } from "./quantizer.ts";

const half = { ch: 32, groups: 32, attention: true };
const config: MagvitConfig = {
  model: "magvit",
  resolution: 64,
  bits: 6,
  encoder: { ...half, chMult: [1, 1, 1, 1, 2], numResBlocks: [1, 1, 2, 1, 1] },
  decoder: { ...half, chMult: [1, 1, 1, 2, 1], numResBlocks: [1, 2, 1, 1, 1] },
  normEps: 1e-6,
};
const golden = (file: string) =>
  readSafetensors(new URL(`../../../test/golden-data/show-o/${file}`, import.meta.url).pathname);
const weights = await golden("magvit.safetensors");
const cases = await golden("cases_magvit.safetensors");
const [magvit, recorded] = await Promise.all(
  [weights, cases].map(async (f) => new Map(await Promise.all(f.names.map(async (n) => [n, await f.get(n)] as const)))),
);

const largestError = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i])), 0);

test("every weight of the state dict has a place, and every place a weight", () => {
  const graph = new Graph();
  encodePixels(graph.input("pixels", "float32", [1, 3, 64, 64]), config);
  decodeCodes(graph.input("codes", "float32", [1, 6, 4, 4]), config);
  const published = [...magvit.keys()].filter((n) => !n.startsWith("quantize."));
  expect([...graph.params.keys()].sort()).toEqual(published.sort());
});

test("encoding gives the recorded latents and ids", async () => {
  const pixels = recorded.get("magvit_encode.pixels")!;
  const graph = new Graph();
  const z = encodePixels(graph.input("pixels", "float32", pixels.shape), config);
  graph.output("z", z);
  graph.output("ids", tokenIds(z));
  const losses = quantizerLosses(z);
  graph.output("commitment", losses.commitment);
  graph.output("entropy", losses.entropy);
  const program = await compile(graph, { weights: (n) => magvit.get(n) });
  const out = await program.run({ pixels });
  expect(largestError(out.z.data as Float32Array, recorded.get("magvit_encode.z")!.data as Float32Array)).toBeLessThan(
    1e-4,
  );
  expect(Array.from(out.ids.data, Number)).toEqual(Array.from(recorded.get("magvit_encode.ids")!.data, Number));
  expect((out.commitment.data as Float32Array)[0]).toBeCloseTo(0.04947832, 5);
  expect((out.entropy.data as Float32Array)[0]).toBeCloseTo(-0.02874339, 5);
});

test.each(["magvit_decode", "magvit_decode_rect"])("%s gives the recorded pixels", async (id) => {
  const ids = recorded.get(`${id}.ids`)!;
  const want = recorded.get(`${id}.pixels`)!;
  const graph = new Graph();
  const tokens = graph.input("ids", "int64", [ids.shape[0], ids.data.length / ids.shape[0]]);
  const [height, width] = want.shape.slice(2).map((d) => d / 16);
  graph.output("pixels", decodeCodes(codesOf(tokens, 6, height, width), config));
  const program = await compile(graph, { weights: (n) => magvit.get(n) });
  const out = await program.run({ ids: { ...ids, shape: tokens.shape as number[] } });
  expect(out.pixels.shape).toEqual(want.shape);
  expect(largestError(out.pixels.data as Float32Array, want.data as Float32Array)).toBeLessThan(1e-4);
});

test("the codebook holds the bits of its row numbers", () => {
  expect(Array.from(codebook(3).subarray(15, 18))).toEqual([1, -1, 1]);
  expect(Array.from(codebook(6))).toEqual(Array.from(recorded.get("lfq_table.embedding")!.data as Float32Array));
});

test("the entropy over codes is that of the table of all codes", async () => {
  const [batch, bits, side] = [2, 5, 2];
  const cells = batch * side * side;
  const rng = new Rng(3);
  const z = Float32Array.from({ length: cells * bits }, () => rng.normal() / 2);
  const focus = Float32Array.from({ length: cells }, () => rng.uniform());
  const graph = new Graph();
  const latents = graph.input("z", "float32", [batch, bits, side, side]);
  graph.output("entropy", codeEntropy(latents, graph.input("focus", "float32", [cells]), 0.1));
  const program = await compile(graph);
  const { entropy } = await program.run({ z: f32([batch, bits, side, side], z), focus: f32([cells], focus) });

  const plogp = (p: number) => p * Math.log(p);
  const total = focus.reduce((a, b) => a + b, 0);
  const average = new Array(2 ** bits).fill(0);
  let ofCells = 0;
  for (let cell = 0; cell < cells; cell++) {
    const at = (bit: number) => z[(Math.floor(cell / 4) * bits + bit) * 4 + (cell % 4)];
    for (let code = 0; code < 2 ** bits; code++) {
      const p = Array.from({ length: bits }, (_, bit) => {
        const sign = codebook(bits)[code * bits + bit];
        return 1 / (1 + Math.exp(-4 * sign * at(bit)));
      }).reduce((a, b) => a * b, 1);
      average[code] += (p * focus[cell]) / total;
      ofCells -= (plogp(p) * focus[cell]) / total;
    }
  }
  const ofAverage = -average.reduce((sum, p) => sum + plogp(p), 0);
  expect((entropy.data as Float32Array)[0]).toBeCloseTo(0.1 * (ofCells - ofAverage), 5);
});

test("tokens of a local encoder tell of their own cells alone", async () => {
  const { mini } = MAGVIT_PRESETS;
  const graph = new Graph();
  graph.output("z", encodePixels(graph.input("pixels", "float32", [1, 3, 64, 64]), mini));
  const rng = new Rng(5);
  const weights = (_: string, { shape }: { shape: readonly number[] }) =>
    f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => rng.normal() / 8),
    );
  const given = Object.fromEntries(
    [...graph.params].map(([name, { tensor }]) => [name, weights(name, tensor as never)]),
  );
  const program = await compile(graph, { weights: (name) => given[name] });
  const pixels = Float32Array.from({ length: 3 * 64 * 64 }, () => rng.normal());
  const before = (await program.run({ pixels: f32([1, 3, 64, 64], pixels) })).z.data as Float32Array;
  // The cell in row 3 and column 5, and nothing else.
  for (let y = 24; y < 32; y++) for (let x = 40; x < 48; x++) pixels[y * 64 + x] += 1;
  const after = (await program.run({ pixels: f32([1, 3, 64, 64], pixels) })).z.data as Float32Array;
  const changed = new Set(Array.from(after, (z, i) => (z === before[i] ? -1 : i % 64)));
  changed.delete(-1);
  expect([...changed]).toEqual([3 * 8 + 5]);
});
