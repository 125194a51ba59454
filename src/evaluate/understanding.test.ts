import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { captionOf, DOMAINS, type Facts, factsOf, loadAtlas, makeScene, type Scene } from "../scenes/index.ts";
import { cider } from "./cider.ts";
import { evaluateUnderstanding, type Reader } from "./understanding.ts";

const atlas = await loadAtlas();
const domain = DOMAINS.easy;
const IMAGES = 40;
const settings = { atlas, domain, images: IMAGES, seed: 5 };
const scenes = Array.from({ length: IMAGES }, (_, index) =>
  makeScene(atlas, domain, { seed: 5, index, split: "heldout", pixels: 64 }),
);
const count = (of: (scene: Scene) => boolean) => scenes.filter(of).length;
const asked = (...kinds: string[]) => scenes.flatMap((s) => s.questions).filter(({ kind }) => kinds.includes(kind));

/** Says what it is told to; knows a scene by its pixels. Each answer takes 6 tokens, 2 passes and 3 milliseconds. */
function reader(answer: (scene: Scene, question?: string) => string): Reader {
  return {
    config: { magvit: { resolution: 64 } },
    async describe({ data }, question) {
      const scene = scenes.find(({ pixels }) => Buffer.compare(pixels, data) === 0);
      if (!scene) throw new Error("a picture that was not asked for");
      return { text: ` ${answer(scene, question)}`, tokens: 6, passes: 2, timings: { total: 4, text: 3 } };
    },
  };
}

const truth = (scene: Scene, question?: string): string =>
  question === undefined ? scene.caption : scene.questions.find((q) => q.question === question)!.answer;
const saying = (change: (facts: Facts) => Facts) => reader((scene, q) => (q ? "" : captionOf(change(factsOf(scene)))));

test("a reader that is right gets everything right, and every question is asked", async () => {
  const all = await evaluateUnderstanding(reader(truth), settings);
  expect(all).toMatchObject({
    images: IMAGES,
    facts: { right: IMAGES, of: IMAGES, share: 1 },
    yesNo: { of: asked("presence", "color_presence").length, share: 1 },
    oneWord: { of: asked("count", "color", "relation").length, share: 1 },
    byFact: { objects: { right: IMAGES }, relation: { of: count((s) => factsOf(s).relation !== null), share: 1 } },
    tokensPerPass: 3,
    mistakes: [],
  });
  expect(all.tokensPerSecond).toBeCloseTo(2000);
  expect(all.facts.ci95[0]).toBeCloseTo(0.9124, 4);
});

test("always yes is right for the questions whose answer is yes, and for no other", async () => {
  const { yesNo, oneWord, byQuestion, facts, mistakes } = await evaluateUnderstanding(
    reader(() => "yes"),
    settings,
  );
  // Presence is asked once of what is there and once of what is not.
  expect(byQuestion.presence).toMatchObject({ right: IMAGES, of: 2 * IMAGES, share: 0.5 });
  const right = asked("presence", "color_presence").filter(({ answer }) => answer === "yes").length;
  expect(yesNo.right).toBe(right);
  expect(oneWord.right).toBe(0);
  expect(facts).toMatchObject({ right: 0, of: IMAGES });
  expect(mistakes).toHaveLength(10);
  expect(mistakes[0]).toEqual({ said: "yes", true: scenes[0].caption });
});

test("a wrong colour spoils colours and the whole, and nothing else", async () => {
  const repaint = (facts: Facts): Facts => ({
    ...facts,
    groups: facts.groups.map((g) => ({ ...g, color: g.color && (g.color === "red" ? "blue" : "red") })),
  });
  const { facts, byFact } = await evaluateUnderstanding(saying(repaint), settings);
  const colourless = count((s) => factsOf(s).groups.every(({ color }) => color === null));
  expect(facts.right).toBe(colourless);
  expect(byFact.colors.right).toBe(colourless);
  for (const fact of ["objects", "counts", "background", "relation"] as const) expect(byFact[fact].share).toBe(1);
});

test("one too many spoils counts and the whole", async () => {
  const more = (facts: Facts): Facts => ({
    ...facts,
    groups: facts.groups.map((g) => (g.count > 1 ? { ...g, count: (g.count % 4) + 1 } : g)),
  });
  const { facts, byFact } = await evaluateUnderstanding(saying(more), settings);
  const singles = count((s) => factsOf(s).groups.every((g) => g.count === 1));
  expect(singles).toBeGreaterThan(0);
  expect(singles).toBeLessThan(IMAGES);
  expect([facts.right, byFact.counts.right]).toEqual([singles, singles]);
  expect(byFact.objects.share).toBe(1);
});

test("sides exchanged spoil the relation alone, a missing background the background alone", async () => {
  const turned = await evaluateUnderstanding(
    saying((f) => ({ ...f, groups: f.relation ? f.groups.toReversed() : f.groups })),
    settings,
  );
  expect(turned.byFact.relation.right).toBe(0);
  expect(turned.facts.right).toBe(count((s) => factsOf(s).relation === null));
  expect(turned.byFact.objects.share).toBe(1);
  const nowhere = await evaluateUnderstanding(
    saying((f) => ({ ...f, background: null })),
    settings,
  );
  expect(nowhere.byFact.background.right).toBe(count((s) => factsOf(s).background === null));
  expect(nowhere.byFact.relation.share).toBe(1);
});

test("what is no sentence of the grammar is wrong in every fact", async () => {
  const { byFact } = await evaluateUnderstanding(
    reader(() => "a dog dog"),
    settings,
  );
  for (const { right, of } of Object.values(byFact)) expect([right, of > 0]).toEqual([0, true]);
});

test("progress counts scenes, and an aborted signal ends it", async () => {
  const seen: number[] = [];
  const control = new AbortController();
  const onProgress = (done: number, total: number) => {
    seen.push(done / total);
    if (done === 3) control.abort();
  };
  const run = evaluateUnderstanding(reader(truth), { ...settings, onProgress, signal: control.signal });
  await expect(run).rejects.toMatchObject({ code: "ABORTED" });
  expect(seen).toEqual([1 / IMAGES, 2 / IMAGES, 3 / IMAGES]);
});

test("captions are compared with those written token by token, in text, speed and slots", async () => {
  const model: Reader = {
    config: { magvit: { resolution: 64 } },
    async describe({ data }, question, { decoding } = {}) {
      const index = scenes.findIndex(({ pixels }) => Buffer.compare(pixels, data) === 0);
      const text = truth(scenes[index], question);
      if (decoding === "ar")
        return { text: index < 3 ? "a dog" : text, tokens: 6, passes: 6, timings: { total: 9, text: 6 }, slots: 6 };
      return { text, tokens: 6, passes: 2, timings: { total: 4, text: 3 }, slots: 21 };
    },
  };
  const result = await evaluateUnderstanding(model, settings);
  expect(result).toMatchObject({ tokensPerPass: 3, slotsPerToken: 3.5 });
  expect(result.autoregressive).toMatchObject({ identical: { right: IMAGES - 3, of: IMAGES } });
  expect(result.tokensPerSecond).toBeCloseTo(2000);
  expect(result.autoregressive!.tokensPerSecond).toBeCloseTo(1000);
  const captions = scenes.map((scene) => scene.caption);
  expect(result.cider).toBeCloseTo(
    cider(
      captions,
      captions.map((c) => [c]),
    ).cider,
    12,
  );
  expect(result.cider).toBeGreaterThan(9);
  const alone = await evaluateUnderstanding(model, { ...settings, decoding: "ar" });
  expect(alone.autoregressive).toBeUndefined();
  expect(alone.facts.right).toBe(IMAGES - 3);
});

test("what was asked is not asked again, and comes to the same", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fewstep-reading-"));
  const record = join(folder, "captions.jsonl");
  let asked = 0;
  const model = reader((scene, question) => {
    asked++;
    return truth(scene, question);
  });
  const whole = await evaluateUnderstanding(model, settings);
  asked = 0;
  await evaluateUnderstanding(model, { ...settings, images: 15, record });
  expect(await evaluateUnderstanding(model, { ...settings, record })).toEqual(whole);
  // A caption in two ways and every question, once for each picture; two captions before each of two measurements.
  expect(asked).toBe(scenes.reduce((n, { questions }) => n + 2 + questions.length, 4));
  const other = evaluateUnderstanding(model, { ...settings, record, seed: 6 });
  await expect(other).rejects.toThrow(/records another measurement/);
  rmSync(folder, { recursive: true });
});
