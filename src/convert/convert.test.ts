/** Conversion: the same answers at fp32, bounded errors below, killed and resumed to the same bytes. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyModel } from "../../test/tiny-model.ts";
import { f32, Rng } from "../base/index.ts";
import { readSafetensors, writeSafetensors } from "../files/index.ts";
import { DEFAULT_MODEL } from "../models/index.ts";
import { causalRows, questionIds, textPredictor } from "../models/showo/index.ts";
import { loadModel, type Model } from "../tasks/index.ts";
import { convertModel } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-convert-"));
const tiny = join(root, "tiny");
beforeAll(() => saveTinyModel(tiny));
afterAll(() => rmSync(root, { recursive: true }));

const texts = { prompt: [5, 6, 7, 8], question: [9, 10, 11] };
const settings = { texts, threads: 1 };
let made = 0;
const out = () => join(root, `out-${made++}`);

async function answers(model: Model) {
  const drawn = await model.generateImage(["a red car", "two blue cars"], { seed: 3, guidance: 1.5, steps: 3 });
  const plain = await model.generateImage("a dog", { seed: 3, guidance: 0 });
  const said = await model.describe(drawn.images[0], "is there a dog?", { seed: 1, maxTokens: 12 });
  const one = await model.describe(plain.images[0], undefined, { decoding: "ar", maxTokens: 9 });
  await model.dispose();
  return [drawn.images.map(({ tokens }) => [...tokens]), [...plain.images[0].tokens], said.text, one.text];
}
const load = (folder: string, dtype?: "fp32" | "q8" | "q4" | "mixed") =>
  loadModel(folder, { host: "inline", threads: 1, dtype });

test("at fp32 a converted model gives the same answers", async () => {
  const folder = out();
  const { layers } = await convertModel(tiny, folder, { ...settings, dtypes: ["fp32"] });
  expect(layers).toHaveLength(2);
  expect(Math.max(...layers.map(({ error }) => error))).toBeLessThan(1e-5);
  expect(readdirSync(join(folder, "onnx")).filter((name) => /^body/.test(name))).toEqual([
    "body.onnx",
    "body.onnx_data",
  ]);
  expect(await answers(await load(folder))).toEqual(await answers(await load(tiny)));
});

test("the model in the package gives the same answers at fp32", async () => {
  const folder = out();
  await convertModel(DEFAULT_MODEL, folder, { ...settings, dtypes: ["fp32"] });
  const ask = async (name: string) => {
    const model = await load(name);
    const { images } = await model.generateImage("two red cars", { seed: 7, steps: 2 });
    const { text } = await model.describe(images[0], "how many cars are there?", { seed: 1, block: 4, maxTokens: 6 });
    await model.dispose();
    return { tokens: [...images[0].tokens], text };
  };
  expect(await ask(folder)).toEqual(await ask(DEFAULT_MODEL));
}, 120_000);

/** Logits of the first answered slot. */
async function firstLogits(folder: string, dtype?: "fp32" | "q8"): Promise<Float32Array> {
  const model = await load(folder, dtype);
  const prompt = questionIds(model.config.showo, new Int32Array(16).fill(5), [9, 10, 11]);
  const predictor = await textPredictor(model.transformer, { prompt, slots: 2 });
  const logits = await predictor.predict({ rows: 1, slots: 2, ids_BL: new Int32Array(2) }, { start: 0, end: 1 }, 0);
  const copy = logits.slice();
  await model.dispose();
  return copy;
}

test("q8 is near and q4 within its bits; both load, alone and mixed", async () => {
  const folder = out();
  const { layers, pixels } = await convertModel(tiny, folder, settings);
  expect(pixels).toMatchObject({ convolutions: expect.any(Number) });
  expect(pixels?.kept).toBe(existsSync(join(folder, "onnx/vq_decoder_quantized.onnx")));
  const worst = (dtype: string) => Math.max(...layers.filter((l) => l.dtype === dtype).map(({ error }) => error));
  expect(worst("q8")).toBeGreaterThan(1e-4);
  expect(worst("q8")).toBeLessThan(0.06);
  expect(worst("q4")).toBeGreaterThan(worst("q8"));
  expect(worst("q4")).toBeLessThan(0.25);
  const [want, got] = [await firstLogits(tiny), await firstLogits(folder, "q8")];
  const off = want.reduce((sum, x, i) => sum + (x - got[i]) ** 2, 0) / want.reduce((sum, x) => sum + x * x, 0);
  expect(off).toBeGreaterThan(0);
  expect(Math.sqrt(off)).toBeLessThan(0.1);
  const [drawn] = await answers(await load(folder, "mixed"));
  expect(drawn).toHaveLength(2);
  await expect(load(folder, "fp32")).rejects.toThrow(/not converted to fp32.*q8, q4/s);
  const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
  expect(report.layers).toHaveLength(4);
});

test("what one dtype writes into the cache another reads", async () => {
  const folder = out();
  await convertModel(tiny, folder, { ...settings, dtypes: ["fp32", "q8", "q4"] });
  const ids = [5, 6, 7, 8, 9, 10, 11, 12];
  const keysAndValues = async (dtype: "fp32" | "q8" | "q4") => {
    const model = await load(folder, dtype);
    const arrays = await model.transformer.packed!.use({ rows: 0 }, ids.length, async (cache) => {
      await cache.forward(ids, 0, 0, causalRows(ids.length));
      return cache.read(0, ids.length);
    });
    await model.dispose();
    return arrays;
  };
  const exact = await keysAndValues("fp32");
  for (const [dtype, most] of [
    ["q8", 0.05],
    ["q4", 0.3],
  ] as const) {
    const rounded = await keysAndValues(dtype);
    const off = exact.map((array, i) => {
      const wrong = array.reduce((sum, x, j) => sum + (x - rounded[i][j]) ** 2, 0);
      return Math.sqrt(wrong / array.reduce((sum, x) => sum + x * x, 0));
    });
    expect(Math.max(...off)).toBeLessThan(most);
    expect(Math.min(...off)).toBeGreaterThan(0);
  }
});

test("interleaved requests share one cache and do not disturb each other", async () => {
  const folder = out();
  await convertModel(tiny, folder, { ...settings, dtypes: ["fp32"] });
  const model = await load(folder);
  const picture = (await model.generateImage("a dog", { seed: 1, steps: 2 })).images[0];
  const alone = await model.describe(picture, "is there a dog?", { block: 4, maxTokens: 12, seed: 2 });
  const drawnAlone = await model.generateImage("a red car", { seed: 5, steps: 6 });
  const text = model.describe(picture, "is there a dog?", { block: 4, maxTokens: 12, seed: 2 });
  const other = model.describe(picture, undefined, { block: 3, maxTokens: 12, seed: 2 });
  const drawing = model.generateImage("a red car", { seed: 5, steps: 6 });
  const [said, , drawn] = await Promise.all([text, other, drawing]);
  expect(said.text).toBe(alone.text);
  expect([...drawn.images[0].tokens]).toEqual([...drawnAlone.images[0].tokens]);
  await model.dispose();
});

test("killed after any step, the next call goes on and writes the same bytes", async () => {
  const whole = out();
  await convertModel(tiny, whole, settings);
  const folder = out();
  for (let stop = 0; stop < 5; stop++) {
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ done }: { done: number }) => {
      seen.push(done);
      if (done === stop + 1) controller.abort();
    };
    await expect(
      convertModel(tiny, folder, { ...settings, signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect(seen[0]).toBe(stop);
    // What a killed process wrote beyond its last note.
    const data = join(`${folder}.partial`, "onnx/body_q4.onnx_data");
    writeFileSync(data, Buffer.concat([readFileSync(data), Buffer.from("garbage")]));
  }
  await convertModel(tiny, folder, settings);
  const files = readdirSync(whole, { recursive: true }) as string[];
  expect((readdirSync(folder, { recursive: true }) as string[]).sort()).toEqual(files.sort());
  for (const file of files.filter((name) => name.includes(".")))
    expect(readFileSync(join(folder, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
  expect(existsSync(`${folder}.partial`)).toBe(false);
});

test("an adapter is added before rounding, or while loading", async () => {
  const adapter = join(root, "adapter");
  mkdirSync(adapter);
  writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify({ r: 2, lora_alpha: 4 }));
  const rng = new Rng(1);
  const random = (shape: number[]) =>
    f32(
      shape,
      Float32Array.from({ length: shape[0] * shape[1] }, () => rng.normal()),
    );
  const matrix = "base_model.model.showo.model.layers.1.mlp.fc1";
  await writeSafetensors(join(adapter, "adapter_model.safetensors"), {
    [`${matrix}.lora_A.weight`]: random([2, 32]),
    [`${matrix}.lora_B.weight`]: random([64, 2]),
  });
  const folder = out();
  await convertModel(tiny, folder, { ...settings, dtypes: ["fp32"], lora: adapter });
  const options = { host: "inline", threads: 1 } as const;
  const merged = await answers(await loadModel(tiny, { ...options, lora: adapter }));
  expect(await answers(await load(folder))).toEqual(merged);
  expect(merged).not.toEqual(await answers(await load(tiny)));
  await expect(loadModel(folder, { ...options, lora: adapter })).rejects.toThrow(/rounded already/);
});

test("what cannot be converted is refused before anything is written", async () => {
  const folder = out();
  mkdirSync(folder);
  await expect(convertModel(tiny, folder, settings)).rejects.toThrow(/there already/);
  const broken = join(root, "broken");
  await saveTinyModel(broken, 2);
  const file = readSafetensors(join(broken, "showo.safetensors"));
  const tensors = Object.fromEntries(file.names.map((name) => [name, file.get(name)]));
  file.close();
  const name = "showo.model.layers.1.mlp.fc1.weight";
  tensors[name] = f32([64, 32], new Float32Array(64 * 32).fill(Number.NaN));
  await writeSafetensors(join(broken, "showo.safetensors"), tensors);
  await expect(convertModel(broken, out(), settings)).rejects.toThrow(/fc1\.weight" holds numbers that are not finite/);
  delete tensors[name];
  await writeSafetensors(join(broken, "showo.safetensors"), tensors);
  await expect(convertModel(broken, out(), settings)).rejects.toThrow(/1 missing/);
});
