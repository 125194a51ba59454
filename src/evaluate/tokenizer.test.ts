import { expect, test } from "vitest";
import { tinyParts } from "../../test/tiny-model.ts";
import { f32, type NdArray } from "../base/index.ts";
import { postprocess } from "../image/index.ts";
import { type MagvitPrograms, magvitPrograms } from "../models/magvit/index.ts";
import { createHost } from "../runtime/index.ts";
import { DOMAINS, loadAtlas, makeScene } from "../scenes/index.ts";
import type { Model } from "../tasks/index.ts";
import { evaluateTokenizer } from "./tokenizer.ts";

const atlas = await loadAtlas();
const settings = { atlas, domain: DOMAINS.easy, images: 3, seed: 5 };
const tiny = tinyParts();
const config = { ...tiny.config.magvit, resolution: 64 };
const withTokenizer = (tokenizer: Pick<MagvitPrograms, "encode" | "decode">) =>
  ({ config: { magvit: config, showo: { ...tiny.config.showo, imageTokens: 64 } }, tokenizer }) as unknown as Model;
const originals = Array.from({ length: 3 }, (_, index) =>
  makeScene(atlas, DOMAINS.easy, { seed: 5, index, split: "heldout", pixels: 64 }),
);
const decibels = (values: number[], errors: number) => 10 * Math.log10(255 ** 2 / (errors / values.length));

test("a tokenizer that darkens by ten levels and uses four codes evenly", async () => {
  let last = f32([0]);
  const tokenizer = {
    encode: async (pixels: NdArray<"float32">) => {
      last = pixels;
      return Int32Array.from({ length: 64 }, (_, cell) => cell % 4);
    },
    // Half a level above, since pixels are truncated.
    decode: async () =>
      f32(
        last.shape,
        last.data.map((x) => x - 9.5 / 127.5),
      ),
  };
  const quality = await evaluateTokenizer(withTokenizer(tokenizer), settings);
  const all = originals.flatMap(({ pixels }) => [...pixels]);
  const lost = (values: number[]) => values.reduce((sum, v) => sum + Math.min(v, 10) ** 2, 0);
  expect(quality.psnr).toBeCloseTo(decibels(all, lost(all)), 3);
  const each = originals.map(({ pixels }) => decibels([...pixels], lost([...pixels])));
  expect(quality.meanPsnr).toBeCloseTo((each[0] + each[1] + each[2]) / 3, 3);
  expect(quality.perplexity).toBeCloseTo(4);
  expect(quality.codebook).toBe(64);
});

test("a real tokenizer: its reconstructions are what is measured and shown", async () => {
  const tokenizer = magvitPrograms(config, (name) => tiny.magvit.get(name), createHost({ host: "inline", threads: 1 }));
  const seen: number[] = [];
  const onProgress = (done: number) => seen.push(done);
  const { psnr, perplexity, sheet } = await evaluateTokenizer(withTokenizer(tokenizer), { ...settings, onProgress });
  let errors = 0;
  const used = new Map<number, number>();
  for (const [index, { pixels }] of originals.entries()) {
    const planes = f32(
      [3, 64, 64],
      Array.from({ length: 3 * 4096 }, (_, i) => pixels[(i % 4096) * 3 + Math.floor(i / 4096)] / 127.5 - 1),
    );
    const codes = await tokenizer.encode(planes);
    for (const code of codes) used.set(code, (used.get(code) ?? 0) + 1);
    const [{ data }] = postprocess(await tokenizer.decode(codes, 8, 8));
    errors += data.reduce((sum, v, i) => sum + (v - pixels[i]) ** 2, 0);
    // Tiles of 64 pixels, six in a row with gaps of 2: each original, then its reconstruction.
    const row = (tile: number) =>
      [...sheet.data].slice((2 * sheet.width + 2 + tile * 66) * 3, (2 * sheet.width + 66 + tile * 66) * 3);
    expect(row(2 * index)).toEqual([...pixels.subarray(0, 192)]);
    expect(row(2 * index + 1)).toEqual([...data.subarray(0, 192)]);
  }
  expect(psnr).toBeCloseTo(10 * Math.log10(255 ** 2 / (errors / (3 * 12288))), 3);
  const entropy = [...used.values()].reduce((sum, n) => sum - (n / 192) * Math.log(n / 192), 0);
  expect(perplexity).toBeCloseTo(Math.exp(entropy), 6);
  expect(seen).toEqual([1, 2, 3]);
  await tokenizer.dispose();
});
