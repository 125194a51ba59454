import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyLabelModel, tinyLabelConfig } from "../../test/tiny-label-model.ts";
import { evaluateCode } from "../evaluate/index.ts";
import { type LabelModel, type LabelResult, loadLabelModel, type ScaleStep } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-label-"));
let model: LabelModel;
beforeAll(async () => {
  await saveTinyLabelModel(folder);
  model = await loadLabelModel(folder, { host: "inline", threads: 1 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

const tokens = ({ images }: LabelResult) => images.map((image) => [...image.tokens]);

test("classes by name and id, some of each, the same whatever is drawn beside them", async () => {
  const all = await model.generateImage(["zebra", 2, "Hot-Dog"], { seed: 7, n: 2, batchSize: 4 });
  expect(all.images.map(({ settings: { prompt, seed } }) => [prompt, seed])).toEqual([
    ...[
      ["zebra", 7],
      ["zebra", 8],
      ["cup", 7],
    ],
    ...[
      ["cup", 8],
      ["hot dog", 7],
      ["hot dog", 8],
    ],
  ]);
  expect(all.images[0]).toMatchObject({ width: 6, height: 6, settings: { steps: 3, guidance: 1.5, topK: 8 } });
  expect(new Set(all.images.map(({ data }) => data.join())).size).toBeGreaterThan(2);
  const one = await model.generateImage("a cup", { seed: 8 });
  expect(tokens(one)[0]).toEqual(tokens(all)[3]);
  expect([...one.images[0].data]).toEqual([...all.images[3].data]);
});

test("every scale can be looked at; the drafter has the first ones, and its memory is given back", async () => {
  const steps: ScaleStep[] = [];
  const run = model.generateImage(0, { seed: 1, draftScales: 1 });
  for await (const step of run) steps.push(step);
  expect(steps.map(({ by, side, index, progress }) => [by, side, index, progress])).toEqual([
    ["drafter", 1, 1, 1 / 3],
    ["refiner", 2, 2, 2 / 3],
    ["refiner", 3, 3, 1],
  ]);
  const undecided = steps.map((step) => step.tokens[0].filter((id) => id < 0).length);
  expect(undecided).toEqual([13, 9, 0]);
  const result = await run;
  expect([...(await steps[2].image()).data]).toEqual([...result.images[0].data]);
  expect([...(await steps[0].image()).data]).not.toEqual([...result.images[0].data]);
  // A drafter of one scale keeps nothing; the refiner 5 tokens of 8, twice for guidance.
  expect(result.cacheBytes).toBe(2 * 2 * 5 * 8 * 4);
  const alone = await model.generateImage(0, { seed: 1, draftScales: 3 });
  expect(alone.cacheBytes).toBe(2 * 2 * 2 * 5 * 16 * 4);
  expect(tokens(alone)).not.toEqual(tokens(result));
  expect(Object.keys(result.timings).sort()).toEqual(["decode", "drafter", "refiner", "total"]);
});

test("scales looked at all at once are the same pictures", async () => {
  const options = { seed: 4, n: 3, batchSize: 3 };
  const looked: number[][] = [];
  const run = model.generateImage("cup", options);
  for await (const step of run)
    for (const { data } of await Promise.all([2, 0, 1].map((row) => step.image(row)))) looked.push([...data]);
  const { images } = await run;
  const plain = await model.generateImage("cup", options);
  expect(images.map(({ data }) => [...data])).toEqual(plain.images.map(({ data }) => [...data]));
  expect(looked.slice(-3)).toEqual([2, 0, 1].map((row) => [...images[row].data]));
});

test("a refiner that has learnt guidance is asked once, and its drafter still with guidance", async () => {
  const pair = { drafter: "drafter", refiner: "refiner" };
  const draw = (how: object) => model.generateImage("cup", { seed: 5, draftScales: 1, ...how });
  const [guided, once, plain] = [
    await draw({ pair }),
    await draw({ pair: { ...pair, refinerGuidance: 0 } }),
    await draw({ pair, guidance: 0 }),
  ];
  expect(once.cacheBytes).toBe(guided.cacheBytes / 2);
  expect(tokens(once)).not.toEqual(tokens(guided));
  // The first scale is drawn without guidance anyway (VAR spec section 4), so only the refiner differs.
  expect(tokens(once)).toEqual(tokens(plain));
  expect(tokens(await draw({ pair: { ...pair, refinerGuidance: 9 } }))).toEqual(tokens(guided));
});

test("every scale may be drawn in its own way, which the picture remembers", async () => {
  const tokens = async (how: object) => [...(await model.generateImage("cup", { seed: 3, ...how })).images[0].tokens];
  const plain = await tokens({ topK: 8 });
  expect(await tokens({ topK: [8, 8, 8], temperature: [1, 1, 1] })).toEqual(plain);
  const likeliest = await tokens({ topK: 1 });
  // The first scale, of one slot, is the likeliest; what follows is drawn.
  const first = await tokens({ topK: [1, 8, 8] });
  expect(first[0]).toBe(likeliest[0]);
  expect(first).not.toEqual(likeliest);
  // Heat in the last scale leaves the others as they were.
  const hot = await tokens({ topK: 8, temperature: [1, 1, 9] });
  expect(hot.slice(0, 5)).toEqual(plain.slice(0, 5));
  expect(hot).not.toEqual(plain);
  const { settings } = (await model.generateImage("cup", { topK: [1, 8, 8], temperature: [1, 1, 9], topP: 0.9 }))
    .images[0];
  expect(settings).toMatchObject({ scaleTopK: [1, 8, 8], scaleTemperatures: [1, 1, 9], topP: 0.9 });
  await expect(model.generateImage("cup", { topK: [8, 8] })).rejects.toThrow(/bad topK[\s\S]*each of 3 scales[\s\S]*2/);
  await expect(model.generateImage("cup", { temperature: [1, 0, 1] })).rejects.toThrow(/bad sampling temperature/);
  await model.generateImage("cup", { smooth: true, topK: [8, 2, 1], seed: 3 });
});

test("smooth mode mixes codes", async () => {
  const [plain, smooth, again] = [
    await model.generateImage("cup", { seed: 3 }),
    await model.generateImage("cup", { seed: 3, smooth: true }),
    await model.generateImage("cup", { seed: 3, smooth: true }),
  ];
  expect([...smooth.images[0].data]).toEqual([...again.images[0].data]);
  expect([...smooth.images[0].data]).not.toEqual([...plain.images[0].data]);
});

test("part of a picture is drawn anew, the other tokens stay", async () => {
  const start = (await model.generateImage("zebra", { seed: 2 })).images[0];
  const box = { y0: 0, x0: 0, y1: 1, x1: 0.5 };
  const inside = await model.redraw(start, box, { seed: 5, label: "cup" });
  const outside = await model.redraw(start, box, { seed: 5, draw: "outside" });
  expect(inside.images[0].settings).toMatchObject({ task: "inpaint", prompt: "cup" });
  expect(outside.images[0].settings).toMatchObject({ task: "extend", prompt: "" });
  const { ids } = await model.tokenizer.encode({
    dtype: "float32",
    shape: [1, 3, 6, 6],
    data: Float32Array.from({ length: 108 }, (_, i) => start.data[(i % 36) * 3 + Math.floor(i / 36)] / 127.5 - 1),
  });
  const kept = (drawn: LabelResult, at: number[]) => at.map((i) => drawn.images[0].tokens[i]);
  // Right column of the 3x3 scale inside, the two left ones outside; the first scale both times.
  for (const [drawn, at] of [
    [inside, [0, 7, 10, 13]],
    [outside, [0, 5, 6, 8, 9, 11, 12]],
  ] as const)
    expect(kept(drawn, [...at])).toEqual(at.map((i) => Number(ids.data[i])));
  await expect(model.redraw(start, { ...box, x1: 0 })).rejects.toThrow("the box is empty");
});

test("what cannot be drawn", async () => {
  const refusal = (label: string | number, options = {}) =>
    Promise.resolve(model.generateImage(label, options)).then(
      () => "drawn",
      (error: Error) => error.message,
    );
  expect(await refusal("zebar")).toMatch(/knows no class "zebar"[\s\S]*Did you mean zebra\?/);
  expect(await refusal(3)).toMatch(/no such class[\s\S]*0 to 2[\s\S]*3/);
  expect(await refusal(-1)).toContain("no such class");
  expect(await refusal("zebra", { draftScales: 4 })).toContain("bad draftScales");
  expect(await refusal("zebra", { topP: 2 })).toContain("top-p");
  expect(await refusal("zebra", { pair: { drafter: "drafter", refiner: "third" } })).toMatch(
    /no such network[\s\S]*third/,
  );
  expect(await refusal("", { seed: 1 })).toBe("drawn");
});

test("networks that do not fit each other are refused by name", async () => {
  const other = mkdtempSync(join(tmpdir(), "fewstep-label-"));
  const saved = (change: (config: typeof tinyLabelConfig) => void) => {
    const config = structuredClone(tinyLabelConfig);
    change(config);
    return saveTinyLabelModel(other, config);
  };
  await expect(saved((c) => (c.networks.refiner.config.sides = [1, 2, 4]))).rejects.toThrow(
    /expected scales of 1,2,3[\s\S]*1,2,4 of refiner/,
  );
  await expect(saved((c) => (c.networks.drafter.config.codebookSize = 32))).rejects.toThrow(
    /16 codes[\s\S]*32 of drafter/,
  );
  await expect(saved((c) => (c.classes = ["a"]))).rejects.toThrow(/1 classes[\s\S]*3 of drafter/);
  await expect(saved((c) => (c.networks.refiner.file = "../../x.safetensors"))).rejects.toThrow(
    "in or beside this folder",
  );
  await expect(saved((c) => (c.defaults.topK = [8, 1]))).rejects.toThrow(/one for each of 3 scales[\s\S]*2/);
  await saved((c) => (c.defaults.topK = [8, 1, 8]));
  const own = await loadLabelModel(other, { host: "inline", threads: 1 });
  const [mine, told] = [
    await own.generateImage("cup", { seed: 3 }),
    await own.generateImage("cup", { seed: 3, topK: 8 }),
  ];
  expect(mine.images[0].settings.scaleTopK).toEqual([8, 1, 8]);
  expect(told.images[0].settings).toMatchObject({ topK: 8 });
  await own.dispose();
  await saveTinyLabelModel(other);
  const settings = JSON.parse(readFileSync(join(other, "var.json"), "utf8"));
  settings.networks.drafter.config.depth = 3;
  writeFileSync(join(other, "var.json"), JSON.stringify(settings));
  const broken = await loadLabelModel(other, { host: "inline" });
  await expect(broken.generateImage("cup", { draftScales: 3 })).rejects.toThrow(/missing: blocks\.2/);
  await broken.dispose();
  await expect(loadLabelModel(join(other, "nowhere"))).rejects.toThrow("no next-scale model");
  rmSync(other, { recursive: true });
});

test("collaborative decoding in figures", async () => {
  const judge = async ({ data }: { data: Uint8Array }) => ({
    features: Float32Array.of(data[0], data[50] / 2),
    seen: data[0] > 100 ? "zebra" : "cup",
  });
  const real = [0, 1, 2, 3].map((i) => ({ features: Float32Array.of(100 + i, 60 - i * i), seen: "cup" }));
  const how = { images: 6, seed: 3, batchSize: 3, judge, real };
  const figures = await evaluateCode(model, { ...how, draftScales: 2 });
  expect(figures).toMatchObject({ draftScales: 2, images: 6, batchSize: 3, accuracy: { of: 6 } });
  const drawn = await Promise.all(
    [0, 1].map((batch) =>
      model.generateImage(["zebra", "hot dog", "cup"], { seed: 3 + 3 * batch, draftScales: 2, batchSize: 3 }),
    ),
  );
  const looks = await Promise.all(drawn.flatMap(({ images }) => images).map(judge));
  const wanted = ["zebra", "hot dog", "cup"];
  expect(figures.accuracy.right).toBe(looks.filter(({ seen }, i) => seen === wanted[i % 3]).length);
  expect(figures.cacheBytes).toBe(drawn[0].cacheBytes);
  expect(figures.imagesPerSecondWithoutPixels).toBeGreaterThan(figures.imagesPerSecond);
  expect(figures.peakMemory).toBeGreaterThan(2 ** 20);
  const same = await evaluateCode(model, { ...how, draftScales: 2, real: looks });
  expect(same.frechet).toBeLessThan(1e-6);
  expect(figures.frechet).toBeGreaterThan(1);
});
