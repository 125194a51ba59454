/** Two models at one work: the text is exactly one model's, a picture is begun by one and ended by the other. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyParts } from "../../test/tiny-model.ts";
import { f32, Rng } from "../base/index.ts";
import { picture, readPngText } from "../image/index.ts";
import { saveModel } from "../models/index.ts";
import { loadModel, type Model } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-drafter-"));
let model: Model;
/** Nearly the model: it agrees often, not always. */
let drafter: Model;
beforeAll(async () => {
  const parts = tinyParts();
  await saveModel(join(root, "model"), parts);
  const rng = new Rng(5);
  const near = [...parts.showo].map(
    ([name, { shape, data }]) =>
      [
        name,
        f32(
          shape,
          data.map((x) => x + 0.03 * rng.normal()),
        ),
      ] as const,
  );
  await saveModel(join(root, "drafter"), {
    ...parts,
    config: { ...parts.config, model: "near" },
    showo: new Map(near),
  });
  const open = (name: string) => loadModel(join(root, name), { host: "inline", threads: 1 });
  [model, drafter] = [await open("model"), await open("drafter")];
});
afterAll(async () => {
  await Promise.all([model.dispose(), drafter.dispose()]);
  rmSync(root, { recursive: true });
});

const noise = (seed: number) => {
  const rng = new Rng(seed);
  return picture(
    32,
    32,
    Uint8Array.from({ length: 32 * 32 * 3 }, () => rng.int(256)),
  );
};

test("drafts, windows and one token at a time write the same, greedily and by seed, about many pictures", async () => {
  const saved = { alone: 0, drafted: 0 };
  for (let seed = 0; seed < 12; seed++) {
    const base = { seed, maxTokens: 16, temperature: seed % 2 };
    const write = (options: Parameters<Model["describe"]>[2]) =>
      model.describe(noise(seed), "is there a dog?", { ...base, ...options });
    const plain = await write({ decoding: "ar" });
    const drafted = await write({ drafter, draftPasses: 1 + (seed % 3) });
    for (const result of [drafted, await write({ drafter, block: 3 }), await write({}), await write({ block: 5 })]) {
      expect(result.text).toBe(plain.text);
      expect([result.tokens, result.finish]).toEqual([plain.tokens, plain.finish]);
    }
    expect(drafted.draftPasses).toBeGreaterThan(0);
    saved.alone += plain.passes;
    saved.drafted += drafted.passes;
  }
  // It is of use, and it is wrong now and then.
  expect(saved.drafted).toBeLessThan(0.9 * saved.alone);
  expect(saved.drafted).toBeGreaterThan(12);
});

test("the drafter draws the first steps with its own guidance, the model the others", async () => {
  const options = { seed: 3, steps: 4, guidance: 0, drafter, draftSteps: 2, draftGuidance: 2 };
  const draw = async (of: Model, more: Parameters<Model["generateImage"]>[1]) => {
    const steps = [];
    const run = of.generateImage("a red car", { ...options, ...more });
    for await (const step of run) steps.push({ tokens: [...step.tokens[0]], open: [...step.mask[0]] });
    return { steps, image: (await run).images[0] };
  };
  const both = await draw(model, {});
  const first = await draw(drafter, {
    guidance: 2,
    drafter: undefined,
    draftSteps: undefined,
    draftGuidance: undefined,
  });
  expect(both.steps.slice(0, 2)).toEqual(first.steps.slice(0, 2));
  expect(both.steps[3]).not.toEqual(first.steps[3]);
  const alone = await draw(model, { draftSteps: 0 });
  const plain = await draw(model, { drafter: undefined, draftSteps: undefined, draftGuidance: undefined });
  expect(alone.steps).toEqual(plain.steps);
  expect(both.steps[0]).not.toEqual(plain.steps[0]);
  const { fewstep } = readPngText(await both.image.encode());
  expect(JSON.parse(fewstep)).toMatchObject({ drafter: "near", draftSteps: 2, draftGuidance: 2, guidance: 0 });
});

test("what cannot work together is refused", async () => {
  const { showo, ...config } = model.config;
  const other = { ...drafter, config: { ...config, model: "odd", showo: { ...showo, codebookSize: 32 } } };
  await expect(model.describe(noise(1), "", { drafter: other })).rejects.toThrow(/codebookSize 32 instead of 64/);
  await expect(model.generateImage("", { drafter: other, steps: 4 })).rejects.toThrow(/does not fit the model/);
  await expect(model.describe(noise(1), "", { drafter, decoding: "ar" })).rejects.toThrow(/needs decoding jacobi/);
  await expect(model.describe(noise(1), "", { drafter, draftPasses: 0 })).rejects.toThrow(/draftPasses/);
  await expect(model.generateImage("", { drafter, steps: 4, draftSteps: 4 })).rejects.toThrow(/from 0 to 3/);
  await expect(model.generateImage("", { draftSteps: 1 })).rejects.toThrow(/there is no drafter/);
});
