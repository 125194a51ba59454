import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, type NdArray } from "../base/index.ts";
import type { Picture } from "../image/index.ts";
import { loadDetector } from "../models/detector/index.ts";
import { DOMAINS, loadAtlas, parseFacts, parsePrompts, stageScene } from "../scenes/index.ts";
import type { DrawOptions, Model } from "../tasks/index.ts";
import { evaluateGeneval } from "./geneval.ts";

const atlas = await loadAtlas();
const detector = await loadDetector();
const domain = DOMAINS.easy;
const folder = mkdtempSync(join(tmpdir(), "fewstep-geneval-"));
afterAll(async () => {
  await detector.dispose();
  rmSync(folder, { recursive: true });
});

const stage = (prompt: string, index: number) =>
  stageScene(atlas, domain, parseFacts(prompt, domain)!, { seed: 77, index });

/** Half a level more, since pixels are truncated. */
const halfAbove = ({ shape, data }: NdArray<"float32">) =>
  f32(
    shape,
    data.map((x) => x + 0.5 / 127.5),
  );

/** A model that draws the scenes it is told to; its tokens are numbers of the pictures it has seen. */
function painter(draw: (prompt: string, seed: number) => Picture) {
  const seen: NdArray<"float32">[] = [];
  const asked: string[] = [];
  const remember = (pixels: NdArray<"float32">) => new Int32Array(64).fill(seen.push(pixels) - 1);
  const planes = ({ data }: Picture) =>
    f32(
      [3, 64, 64],
      Float32Array.from({ length: 3 * 4096 }, (_, i) => data[(i % 4096) * 3 + Math.floor(i / 4096)] / 127.5 - 1),
    );
  const model = {
    config: { magvit: { resolution: 64 }, showo: { imageTokens: 64 } },
    tokenizer: {
      encode: async (pixels: NdArray<"float32">) => remember(pixels),
      decode: async ([id]: Int32Array) => halfAbove(seen[id]),
    },
    async generateImage(prompt: string, { n = 1, seed = 0 }: DrawOptions) {
      asked.push(prompt);
      const images = Array.from({ length: n }, (_, i) => {
        const { width, height, data } = draw(prompt, seed + i);
        return { width, height, data, tokens: remember(planes({ width, height, data })) };
      });
      return { images, timings: { total: 100 } };
    },
  };
  return { model: model as unknown as Model, asked };
}
const scenes = (change: (prompt: string) => string = (prompt) => prompt) =>
  painter((prompt, seed) => {
    const { width, height, pixels } = stage(change(prompt), seed);
    return { width, height, data: pixels };
  });

const lines = (...all: string[]) => parsePrompts(all.map((line) => line.replace(": ", "\t")).join("\n"), "test");
const requests = lines(
  "single_object: a photo of a dog",
  "single_object: a photo of a car",
  "single_object: a photo of a pizza",
  "counting: a photo of three cats",
  "colors: a photo of a blue car",
);
const settings = { detector, atlas, domain, requests, perPrompt: 2, seed: 5 };

test("whoever draws what is asked scores as high as the ceilings", async () => {
  const { model } = scenes();
  const seen: string[] = [];
  const onProgress = (stage: string, done: number, total: number) => seen.push(`${stage} ${done}/${total}`);
  const result = await evaluateGeneval(model, { ...settings, onProgress });
  expect(result).toMatchObject({
    ...{ average: 1, images: 10, prompts: 5, distinctPrompts: 5, unscored: [], mistakes: [] },
    tasks: { single_object: 1, counting: 1, colors: 1 },
    ceiling: { average: 1, images: 10 },
    tokenizerCeiling: { average: 1, images: 10 },
    secondsPerPicture: 0.05,
  });
  expect(Object.keys(result.tasks)).toEqual(["single_object", "counting", "colors"]);
  // A tokenizer that loses nothing is at no distance; other places of the same objects are at some.
  expect(result.detectorFrechet!.tokenizer).toBeLessThan(1e-6);
  expect(result.detectorFrechet!.model).toBeGreaterThan(1e-3);
  expect(seen[0]).toBe("references 1/5");
  expect(seen.at(-1)).toBe("pictures 5/5");
});

test("tasks count alike, however many prompts they have; mistakes say what was wrong", async () => {
  const { model } = scenes((prompt) => prompt.replace("three cats", "two cats").replace("blue", "red"));
  const result = await evaluateGeneval(model, settings);
  // 6 of 10 pictures are right, and one task of three.
  expect(result.tasks).toEqual({ single_object: 1, counting: 0, colors: 0 });
  expect(result.average).toBeCloseTo(1 / 3, 12);
  expect(result.ci95[0]).toBeGreaterThan(0.1);
  expect(result.ceiling.average).toBe(1);
  expect(result.mistakes.slice(1, 3)).toEqual([
    { prompt: "a photo of three cats", seed: 12, reason: "3 of cat expected, 2 found" },
    { prompt: "a photo of a blue car", seed: 13, reason: "blue car expected, red found" },
  ]);
});

test("prompts that cannot be judged are reported, not drawn", async () => {
  const { model, asked } = scenes();
  const more = lines("colors: a photo of a blue kite", "single_object: a photo of a toilet");
  const result = await evaluateGeneval(model, { ...settings, requests: [...more, requests[0]], perPrompt: 1 });
  expect(asked).toEqual(["a photo of a dog"]);
  expect(result.unscored).toEqual([
    { task: "colors", prompt: "a photo of a blue kite", reason: "scenes have no blue kite" },
    { ...more[1], reason: "words or a wording that the scenes of this domain do not have" },
  ]);
  await expect(evaluateGeneval(model, { ...settings, requests: more })).rejects.toThrow(/none of the prompts/);
  // In the whole world of scenes there are toilets, but this detector has seen none.
  const wide = { ...settings, domain: DOMAINS.full, requests: [more[1], requests[0]], perPrompt: 1 };
  const { unscored } = await evaluateGeneval(model, wide);
  expect(unscored).toEqual([{ ...more[1], reason: "the detector was not trained on a toilet" }]);
});

test("a measurement that was ended goes on where it was, and comes to the same", async () => {
  const record = join(folder, "record.jsonl");
  const { model, asked } = scenes((prompt) => prompt.replace("three", "two"));
  const whole = await evaluateGeneval(model, settings);
  asked.length = 0;
  const control = new AbortController();
  const onProgress = (stage: string, done: number) => {
    if (stage === "pictures" && done === 2) control.abort();
  };
  const run = evaluateGeneval(model, { ...settings, record, onProgress, signal: control.signal });
  await expect(run).rejects.toMatchObject({ code: "ABORTED" });
  // As if the process had died while it wrote a line.
  writeFileSync(record, `${readFileSync(record, "utf8")}{"step":3,"ent`);
  expect(await evaluateGeneval(model, { ...settings, record })).toEqual(whole);
  expect(asked).toEqual(requests.map(({ prompt }) => prompt));
  await expect(evaluateGeneval(model, { ...settings, record, seed: 6 })).rejects.toThrow(/records another measurement/);
});
