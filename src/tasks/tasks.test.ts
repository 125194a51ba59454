/** The verbs end to end on a tiny model with random weights: what must hold whatever the weights are. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyModel } from "../../test/tiny-model.ts";
import { Rng } from "../base/index.ts";
import { blank, finish } from "../decode/index.ts";
import { maskToCells, type Picture, picture, preprocess, readPicture, readPngText } from "../image/index.ts";
import { denoise, rowsFor } from "./drawing.ts";
import { type ImageStep, loadModel, type Model } from "./index.ts";
import { imageTokens } from "./picture.ts";
import { drawSettings } from "./settings.ts";
import { stopwatch } from "./timing.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-tasks-"));
let model: Model;
beforeAll(async () => {
  await saveTinyModel(join(root, "tiny"));
  model = await loadModel(join(root, "tiny"), { host: "inline", threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(root, { recursive: true });
});

const idsOf = (images: readonly { tokens: Int32Array }[]) => images.map(({ tokens }) => [...tokens]);
const draw = async (prompt: string | string[], options: Parameters<Model["generateImage"]>[1]) =>
  idsOf((await model.generateImage(prompt, options)).images);
const noise = (width: number, height: number, seed = 3): Picture => {
  const rng = new Rng(seed);
  return picture(
    width,
    height,
    Uint8Array.from({ length: width * height * 3 }, () => rng.int(256)),
  );
};
const encode = async (source: Picture) => [...(await model.tokenizer.encode(preprocess(source, 32)))];

test("same seed, same picture; another seed, prompt or guidance, another one", async () => {
  const base = await draw("a red car", { seed: 7 });
  expect(await draw("a red car", { seed: 7 })).toEqual(base);
  expect(await draw("a red car", { seed: 8 })).not.toEqual(base);
  expect(await draw("two blue cars", { seed: 7 })).not.toEqual(base);
  expect(await draw("a red car", { seed: 7, guidance: 0 })).not.toEqual(base);
  expect(await draw("a red car", { seed: 7, guidance: 1.5 })).toEqual(base);
  expect(await draw("a red car", { seed: 7, steps: 3 })).not.toEqual(base);
  expect(await draw("a red car", { seed: 7, topK: 1 })).not.toEqual(base);
  expect(await draw("a red car", { seed: 7, temperature: 0 })).not.toEqual(base);
  expect(await draw("a red car", { seed: 7, schedule: "linear" })).not.toEqual(base);
});

test("n pictures have the seeds that follow, for every prompt, in batches of any size", async () => {
  const alone = await Promise.all([5, 6, 7].map(async (seed) => (await draw("a red car", { seed }))[0]));
  expect(await draw("a red car", { seed: 5, n: 3 })).toEqual(alone);
  expect(await draw("a red car", { seed: 5, n: 3, batchSize: 2 })).toEqual(alone);
  const other = await draw("two blue cars", { seed: 5, n: 3 });
  expect(await draw(["a red car", "two blue cars"], { seed: 5, n: 3, batchSize: 4 })).toEqual([...alone, ...other]);
  const { images } = await model.generateImage("a red car", { seed: 5, n: 3 });
  expect(images.map(({ settings }) => settings.seed)).toEqual([5, 6, 7]);
});

test("steps lead to the result; both are there, in any order, and nothing is computed twice", async () => {
  const run = model.generateImage("a red car", { seed: 1, steps: 5 });
  const steps: ImageStep[] = [];
  for await (const step of run) steps.push(step);
  expect(steps.map(({ index, total }) => [index, total])).toEqual([1, 2, 3, 4, 5].map((i) => [i, 5]));
  const open = steps.map(({ mask }) => mask[0].reduce((n, m) => n + m));
  // floor(16 cos(pi t / 2)) cells stay masked, none at the end.
  expect(open).toEqual([15, 12, 9, 4, 0]);
  const { images } = await run;
  expect([...images[0].tokens]).toEqual([...steps[4].tokens[0]]);
  expect(images[0].data).toBe((await steps[4].image()).data);
  expect((await steps[0].image()).data).not.toEqual(images[0].data);
  for (const step of steps) expect(Math.max(...step.confidence[0])).toBeLessThanOrEqual(1);
  expect([...steps[4].confidence[0]].filter((p) => p === 1).length).toBe(12);
  const again: ImageStep[] = [];
  for await (const step of run) again.push(step);
  expect(again.every((step, i) => step === steps[i])).toBe(true);
});

test("a run that is cancelled ends before its next step, wherever the cancelling comes from", async () => {
  for (const cancel of ["signal", "abort"]) {
    const controller = new AbortController();
    const run = model.generateImage("", { steps: 50, signal: controller.signal });
    let steps = 0;
    const loop = (async () => {
      for await (const _ of run) if (++steps === 2) cancel === "signal" ? controller.abort() : run.abort();
    })();
    await expect(loop).rejects.toMatchObject({ code: "ABORTED" });
    await expect(run).rejects.toMatchObject({ code: "ABORTED" });
    expect(steps).toBe(2);
  }
});

test("leaving the loop stops the work, and awaiting the run goes on with it", async () => {
  const run = model.generateImage("a red car", { seed: 1, steps: 5 });
  for await (const step of run) if (step.index === 2) break;
  expect(idsOf((await run).images)).toEqual(await draw("a red car", { seed: 1, steps: 5 }));
});

test("a saved picture is the drawn one, and its file tells how it was made", async () => {
  const { images } = await model.generateImage("a red car", { seed: 9, n: 2 });
  const path = join(root, "car.png");
  await images[1].save(path, { size: 64 });
  const read = await readPicture(path);
  expect([read.width, read.height]).toEqual([64, 64]);
  expect([...read.data.subarray(0, 6)]).toEqual([0, 1, 2, 0, 1, 2].map((c) => images[1].data[c]));
  const text = readPngText(await images[1].encode());
  const settings = JSON.parse(text.fewstep);
  expect(settings).toMatchObject({ task: "generate", model: "tiny", prompt: "a red car", seed: 10, steps: 4 });
  expect(text.parameters).toBe(
    "a red car\nSteps: 4, Sampler: cosine, CFG scale: 2.5, Seed: 10, Size: 32x32, Model: tiny",
  );
  expect(await draw(settings.prompt, settings)).toEqual(idsOf([images[1]]));
  await expect(images[0].save(join(root, "car.bmp"))).rejects.toThrow(/expected a name ending in \.png/);
  await expect(images[0].encode("png", { size: 0 })).rejects.toThrow(/size: bad picture size/);
});

test("a file enlarged for looking at has the tokens of the picture it came from", async () => {
  const { images } = await model.generateImage("a red car", { seed: 9 });
  const file = await images[0].encode("png", { size: 128 });
  const tokens = await encode(images[0]);
  expect([...(await imageTokens(model, await readPicture(file)))]).toEqual(tokens);
  // Pixels that were not repeated, and it is a picture like any other.
  const touched = await readPicture(file);
  for (let i = 0; i < 20_000; i += 5) touched.data[i] ^= 128;
  expect([...(await imageTokens(model, touched))]).toEqual([...(await encode(touched))]);
  expect(await encode(touched)).not.toEqual(tokens);
});

test("prompts that are long, strange or empty", async () => {
  const long = await model.generateImage("a red car ".repeat(1000), { seed: 1 });
  expect(long.warnings).toEqual([
    "the prompt is longer than the 22 tokens that the model reads; the rest was left out",
  ]);
  expect(idsOf(long.images)).toEqual(await draw("a red car ".repeat(50), { seed: 1 }));
  const strange = await model.generateImage("a purple <|soi|> car", { seed: 1 });
  expect(strange.warnings).toEqual(["words that this small model never learnt: purple, soi"]);
  expect(idsOf(strange.images)).not.toEqual(await draw("a purple  car", { seed: 1 }));
  const empty = await model.generateImage("", { seed: 1 });
  expect(empty.warnings).toEqual([]);
  // Asked and unasked rows are the same prompt, so guidance changes nothing.
  expect(idsOf(empty.images)).toEqual(await draw("", { seed: 1, guidance: 0 }));
  await expect(model.generateImage("\ud800")).rejects.toThrow(/broken Unicode/);
  await expect(model.generateImage(3 as unknown as string)).rejects.toThrow(/expected a string/);
  await expect(model.generateImage([])).rejects.toThrow(/at least one prompt/);
});

test.each([
  [{ steps: 0 }, /steps: bad steps\n {2}expected a whole number from 1 to 1000\n {2}got {6}0/],
  [{ steps: -1 }, /got +-1/],
  [{ steps: 1.5 }, /got +1\.5/],
  [{ guidance: -1 }, /guidance: .*at least 0/s],
  [{ guidance: Number.NaN }, /guidance: /],
  [{ topK: 0 }, /topK: .*from 1 to 64/s],
  [{ temperature: -0.1 }, /temperature: /],
  [{ seed: 0.5 }, /seed: /],
  [{ n: 0 }, /n: .*from 1 to 1000/s],
  [{ batchSize: 0 }, /batchSize: /],
  [{ schedule: "pow" as "cosine" }, /unknown mask schedule/],
])("%j is refused", async (options, message) => {
  await expect(model.generateImage("", options)).rejects.toThrow(message);
});

test("inpainting draws under the mask and nowhere else", async () => {
  const source = noise(48, 48);
  const mask = { width: 48, height: 48, data: new Uint8Array(48 * 48) };
  for (let y = 0; y < 48; y++) mask.data.fill(255, y * 48 + 24, y * 48 + 48);
  const open = maskToCells(mask, 4, 32).data;
  expect([...open]).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
  const codes = await encode(source);
  const { images } = await model.inpaint(source, mask, "a red car", { seed: 4, n: 2 });
  for (const { tokens, settings } of images) {
    expect([...tokens].filter((_, i) => !open[i])).toEqual(codes.filter((_, i) => !open[i]));
    expect([...tokens].filter((_, i) => open[i])).not.toEqual(codes.filter((_, i) => open[i]));
    expect(settings.task).toBe("inpaint");
  }
  const black = { ...mask, data: new Uint8Array(48 * 48) };
  await expect(model.inpaint(source, black, "")).rejects.toThrow(/mask: the mask marks nothing/);
  const wide = { width: 96, height: 48, data: new Uint8Array(96 * 48).fill(255) };
  await expect(model.inpaint(source, wide, "")).rejects.toThrow(/expected 48 x 48.*got +96 x 48/s);
});

test.each([
  ["left", 7, 4],
  ["right", 7, 4],
  ["up", 4, 7],
  ["down", 4, 7],
] as const)("extending %s keeps the picture and adds whole cells", async (direction, width, height) => {
  const source = noise(64, 64);
  const codes = await encode(source);
  // 40 pixels of 16 for a cell are three cells: a round of two, a round of one.
  const run = model.extend(source, { [direction]: 40, seed: 2, n: 2 });
  const steps: ImageStep[] = [];
  for await (const step of run) steps.push(step);
  expect(steps).toHaveLength(8);
  const { images, warnings } = await run;
  expect(warnings).toEqual([]);
  const [first, second] = images;
  expect([first.width, first.height]).toEqual([width * 8, height * 8]);
  expect(first.settings).toMatchObject({ task: "extend", [direction]: 24 });
  expect([...first.tokens]).not.toEqual([...second.tokens]);
  const at = { left: [3, 0], right: [0, 0], up: [0, 3], down: [0, 0] }[direction];
  const kept = codes.map((_, i) => first.tokens[(at[1] + Math.floor(i / 4)) * width + at[0] + (i % 4)]);
  expect(kept).toEqual(codes);
  // After the first round nothing is open; the second opens one line of cells.
  expect(steps[3].mask[0].includes(1)).toBe(false);
  expect(steps[4].grid).toEqual({ width, height });
  expect(steps[4].mask[0]).toHaveLength(28);
});

test("every round of an extension has noise of its own", async () => {
  const settings = drawSettings(model.config, { seed: 1 });
  const rows = rowsFor({ text: "", ids: [] }, settings);
  const { signal } = new AbortController();
  const drawn = async (round: number) => {
    const states = denoise(model, rows, blank(1, 16), settings, { clock: stopwatch(), signal, round });
    return [...(await finish(states)).canvas.ids_BL];
  };
  expect(await drawn(0)).toEqual(await draw("", { seed: 1 }).then(([tokens]) => tokens));
  expect(await drawn(1)).not.toEqual(await drawn(0));
});

test("extending to both sides, of a picture that is not square", async () => {
  const { images, warnings } = await model.extend(noise(80, 40), { left: 10, right: 60, seed: 1 });
  expect([images[0].width, images[0].height]).toEqual([(1 + 4 + 6) * 8, 32]);
  expect(warnings).toEqual(["the picture is not square; its middle square was extended"]);
});

test.each([
  [{}, /no margin to add.*16 pixels/s],
  [{ left: -1 }, /left: bad margin/],
  [{ up: 1e9 }, /up: .*from 0 to 1024/s],
  [{ left: 8, up: 8 }, /not both.*left, up/s],
])("extending by %j is refused", async (margins, message) => {
  await expect(model.extend(noise(64, 64), margins)).rejects.toThrow(message);
});

test("what streams is the result, token by token and by Jacobi, which take different numbers of passes", async () => {
  const source = noise(32, 32);
  const texts = await Promise.all(
    ([{ decoding: "ar" }, { decoding: "jacobi" }, { block: 5 }] as const).map(async (options) => {
      const run = model.describe(source, "is there a dog?", { ...options, seed: 1, maxTokens: 20 });
      let streamed = "";
      let passes = 0;
      for await (const step of run) {
        streamed += step.delta;
        expect(step.text).toBe(streamed);
        expect(step.pass).toBe(++passes);
      }
      const result = await run;
      expect(result.text).toBe(streamed);
      expect(result.passes).toBe(passes);
      expect(result.question).toBe("is there a dog?");
      return result;
    }),
  );
  const [ar, jacobi, short] = texts;
  expect(ar.tokens).toBeGreaterThan(1);
  expect(jacobi.text).toBe(ar.text);
  expect(short.text).toBe(ar.text);
  expect(ar.tokensPerPass).toBe(1);
  expect(jacobi.passes).toBeLessThanOrEqual(ar.passes);
});

test("a question left out or blank asks for a caption, and the picture matters", async () => {
  const asked = await model.describe(noise(32, 32), "describe the picture.", { seed: 1 });
  for (const question of [undefined, "", " \n"])
    expect((await model.describe(noise(32, 32), question, { seed: 1 })).text).toBe(asked.text);
  expect((await model.describe(noise(32, 32, 4), undefined, { seed: 1 })).text).not.toBe(asked.text);
  expect(asked.tokens).toBe(24);
  expect(asked.finish).toBe("length");
});

test("answers drawn with a temperature depend on their seed alone", async () => {
  const answer = (seed: number, block: number) =>
    model.describe(noise(32, 32), "", { seed, block, temperature: 1, maxTokens: 8 }).then(({ text }) => text);
  expect(await answer(1, 16)).toBe(await answer(1, 1));
  expect(await answer(1, 16)).not.toBe(await answer(2, 16));
  // Answers begin with a space in training; the text does not.
  for (let seed = 1; seed <= 40; seed++) expect(await answer(seed, 4)).not.toMatch(/^\s/);
});

test.each([
  [{ decoding: "fast" as "ar" }, /jacobi or ar/],
  [{ block: 0 }, /block: /],
  [{ maxTokens: 0 }, /maxTokens: /],
  [{ temperature: -1 }, /temperature: /],
  [{ topK: 0 }, /topK: /],
])("describing with %j is refused", async (options, message) => {
  await expect(model.describe(noise(32, 32), "", options)).rejects.toThrow(message);
});

test("what is no picture is refused", async () => {
  await expect(model.describe(join(root, "none.png"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(model.describe(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: "BAD_FILE" });
  await expect(model.describe({ width: 2, height: 2, data: new Uint8Array(3) })).rejects.toThrow(/12 bytes/);
  await expect(model.describe({} as Picture)).rejects.toThrow(/image: not a picture/);
  await expect(model.describe(noise(8, 8), "x".repeat(2000))).rejects.toThrow(/question too long/);
});
