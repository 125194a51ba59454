/** The embedded model, as a user meets it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { DOMAINS, factsOf, loadAtlas, makeScene, parseFacts, sameFacts } from "../src/scenes/index.ts";
import { loadModel, type Model } from "../src/tasks/index.ts";

let model: Model;
beforeAll(async () => {
  model = await loadModel(undefined, { host: "inline" });
});
afterAll(() => model.dispose());

const PROMPTS = ["a photo of a red car left of a blue bird", "two clocks on grass", ""];

test("the same seed gives the same tokens, alone or in a batch, on one thread or two", async () => {
  const together = await model.generateImage(PROMPTS, { seed: 7, steps: 6, guidance: 1 });
  const single = await loadModel(undefined, { host: "inline", threads: 1 });
  for (const [i, prompt] of PROMPTS.entries()) {
    const alone = await single.generateImage(prompt, { seed: 7, steps: 6, guidance: 1 });
    expect(Array.from(alone.images[0].tokens)).toEqual(Array.from(together.images[i].tokens));
  }
  const other = await single.generateImage(PROMPTS[0], { seed: 8, steps: 6, guidance: 1 });
  expect(Array.from(other.images[0].tokens)).not.toEqual(Array.from(together.images[0].tokens));
  await single.dispose();
});

test("it reads pictures it has never seen", async () => {
  const atlas = await loadAtlas();
  let right = 0;
  for (let index = 0; index < 16; index++) {
    const scene = makeScene(atlas, DOMAINS.easy, { seed: 5000, index, split: "heldout", tasks: { single_object: 1 } });
    const { text } = await model.describe({ width: 64, height: 64, data: scene.pixels }, undefined, { seed: 0 });
    const said = parseFacts(text.trim(), DOMAINS.easy);
    right += Number(said !== undefined && sameFacts(said, factsOf(scene)));
  }
  expect(right).toBeGreaterThanOrEqual(8);
});

test("Jacobi decoding writes what one token at a time writes, in fewer passes", async () => {
  const { images } = await model.generateImage(PROMPTS[1], { seed: 3, steps: 4 });
  const jacobi = await model.describe(images[0], undefined, { decoding: "jacobi", seed: 1 });
  const ar = await model.describe(images[0], undefined, { decoding: "ar" });
  expect(jacobi.text).toBe(ar.text);
  expect(ar.passes).toBe(ar.tokens);
  expect(jacobi.passes).toBeLessThanOrEqual(ar.passes);
});
