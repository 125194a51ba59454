/** Conversion: the same answers at fp32, bounded errors below, killed and resumed to the same bytes. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyModel } from "../../test/tiny-model.ts";
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
const load = (folder: string, dtype?: "fp32" | "q8" | "mixed") =>
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
