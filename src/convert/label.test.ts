/** Next-scale models on 8 bits: near the float32 networks in every pass, and folders that load or say why not. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canvasOf } from "../decode/index.ts";
import { featureMaps, scaleOffsets, tokenCount } from "../models/msvq/index.ts";
import { loadLabelNetworks, varPredictor } from "../models/var/index.ts";
import { loadLabelModel } from "../tasks/index.ts";
import { convertLabelModel } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-label-"));
const folder = join(root, "code-q8");
const seen: number[] = [];
beforeAll(async () => {
  await convertLabelModel("code-mini", folder, { onProgress: ({ done, total }) => seen.push(done, total) });
}, 120_000);
afterAll(() => rmSync(root, { recursive: true }));

/** Logits of each scale from `first` on, the same ids given to whoever is asked. */
async function logits(model: string, name: string, guidance: number, first = 0): Promise<Float32Array[]> {
  const networks = await loadLabelNetworks(model, { host: "inline", threads: 1 });
  const { sides } = networks.tokenizer.config;
  const labels = [3, 17];
  const length = tokenCount({ sides });
  const ids = Int32Array.from({ length: labels.length * length }, (_, i) => (i * 37) % 512);
  const canvas = canvasOf(labels.length, length, ids);
  const predictor = await varPredictor(await networks.network(name), {
    labels,
    maps: featureMaps(networks.tokenizer, labels.length),
    guidance,
  });
  const offsets = scaleOffsets({ sides });
  const out: Float32Array[] = [];
  for (let scale = first; scale < sides.length; scale++) {
    const span = { start: offsets[scale], end: offsets[scale + 1] };
    out.push((await predictor.predict(canvas, span, scale / (sides.length - 1))).slice());
  }
  await networks.dispose();
  return out;
}

test.each([
  ["drafter", 0, 0],
  ["drafter", 2, 0],
  ["refiner", 1, 3],
])("the %s with guidance %d from scale %d on: near float32, and not the same", async (name, guidance, first) => {
  const [exact, near] = [await logits("code-mini", name, guidance, first), await logits(folder, name, guidance, first)];
  for (const [i, want] of exact.entries()) {
    const got = near[i];
    expect(got.length).toBe(want.length);
    const mean = want.reduce((a, b) => a + b, 0) / want.length;
    let [wrong, all] = [0, 0];
    for (let j = 0; j < want.length; j++) {
      wrong += (got[j] - want[j]) ** 2;
      all += (want[j] - mean) ** 2;
    }
    expect(Math.sqrt(wrong / all)).toBeGreaterThan(1e-4);
    expect(Math.sqrt(wrong / all)).toBeLessThan(0.07);
  }
});

test("the folder is a model like any other, of less than half the bytes in memory", async () => {
  expect(seen.at(-1)).toBe(seen.at(-2));
  expect(existsSync(`${folder}.partial`)).toBe(false);
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(["README.md", "drafter.guided_head.onnx"]));
  const bytes = (path: string) => statSync(path).size;
  // The file it came from is float16: 0.8 of that is 0.4 of the float32 numbers in memory.
  expect(bytes(join(folder, "drafter.onnx_data"))).toBeLessThan(0.8 * bytes("weights/code-mini/drafter.safetensors"));
  await using model = await loadLabelModel(folder, { threads: 1 });
  const { images } = await model.generateImage("orange", { seed: 1, draftScales: 4 });
  expect(new Set(images[0].tokens).size).toBeGreaterThan(5);
});

test("what cannot be converted", async () => {
  await expect(convertLabelModel(folder, join(root, "again"))).rejects.toThrow("converted already");
  await expect(convertLabelModel("code-mini", folder)).rejects.toThrow("there already");
  await expect(convertLabelModel("nothing-like-it", join(root, "x"))).rejects.toThrow("no next-scale model");
  const stopped = convertLabelModel("code-mini", join(root, "y"), { signal: AbortSignal.abort() });
  await expect(stopped).rejects.toThrow("cancelled");
  expect(existsSync(join(root, "y"))).toBe(false);
});
