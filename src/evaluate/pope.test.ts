import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { DOMAINS, loadAtlas, makeScene } from "../scenes/index.ts";
import { absentClasses, evaluatePope, popeScore, saysYes, statisticsOf } from "./pope.ts";
import type { Reader } from "./understanding.ts";

test("scores of known answers", () => {
  const answer = (present: boolean, yes: boolean, times: number) =>
    Array.from({ length: times }, () => ({ present, yes }));
  const score = popeScore([
    ...answer(true, true, 6),
    ...answer(true, false, 2),
    ...answer(false, true, 3),
    ...answer(false, false, 5),
  ]);
  expect(score).toMatchObject({ accuracy: { right: 11, of: 16 }, recall: 0.75, yesRatio: 9 / 16 });
  expect(score.precision).toBeCloseTo(6 / 9, 12);
  expect(score.f1).toBeCloseTo(12 / 17, 12);
  expect(popeScore(answer(true, false, 3))).toMatchObject({ precision: 0, recall: 0, f1: 0, yesRatio: 0 });
});

test("answers are read as the published script reads them", () => {
  for (const yes of ["yes", "Yes, there is a dog.", "a dog", "there is nothing"]) expect(saysYes(yes), yes).toBe(true);
  for (const no of ["no", "No, there is none.", "there is not a dog"]) expect(saysYes(no), no).toBe(false);
  expect(saysYes("yes. no doubt")).toBe(true);
});

test("absent classes: any, the most frequent, those most often beside what is there", () => {
  const statistics = statisticsOf([
    ["dog", "cat"],
    ["dog", "cat"],
    ["dog", "cow"],
    ["bird"],
    ["bird", "cow"],
    ["bird"],
    ["bird", "car"],
  ]);
  const classes = ["car", "cat", "cow", "bird", "dog"] as const;
  const absent = (mode: "random" | "popular" | "adversarial", ...present: ("dog" | "car")[]) =>
    absentClasses(mode, present, classes, statistics, new Rng(1));
  expect(absent("popular", "dog")).toEqual(["bird"]);
  expect(absent("adversarial", "dog")).toEqual(["cat"]);
  expect(absent("adversarial", "car")).toEqual(["bird"]);
  expect(absent("adversarial", "dog", "car")).toEqual(["cat", "cow"]);
  const drawn = Array.from(
    { length: 200 },
    (_, i) => absentClasses("random", ["dog"], classes, statistics, new Rng(i))[0],
  );
  for (const name of ["car", "cat", "cow", "bird"] as const) {
    const times = drawn.filter((other) => other === name).length;
    expect(times).toBeGreaterThan(30);
    expect(times).toBeLessThan(70);
  }
});

test("a reader that knows is right in every mode; one that always says yes is right half the time", async () => {
  const atlas = await loadAtlas();
  const settings = { atlas, domain: DOMAINS.easy, images: 12, seed: 4 };
  const scenes = Array.from({ length: 12 }, (_, index) =>
    makeScene(atlas, DOMAINS.easy, { seed: 4, index, split: "heldout", pixels: 64 }),
  );
  const reader = (answer: (names: string[], asked: string) => string): Reader => ({
    config: { magvit: { resolution: 64 } },
    async describe({ data }, question = "") {
      const scene = scenes.find(({ pixels }) => Buffer.compare(pixels, data) === 0)!;
      const [, asked] = /^is there an? (.*) in the image\?$/.exec(question)!;
      const text = answer(
        scene.objects.map((object) => object.class),
        asked,
      );
      return { text, tokens: 1, passes: 1, timings: { total: 1, text: 1 } };
    },
  });
  const knows = await evaluatePope(
    reader((names, asked) => (names.includes(asked) ? "yes" : "no")),
    settings,
  );
  const present = scenes.reduce((n, { objects }) => n + new Set(objects.map((object) => object.class)).size, 0);
  for (const score of Object.values(knows))
    expect(score).toMatchObject({ accuracy: { right: 2 * present, of: 2 * present }, f1: 1, yesRatio: 0.5 });
  const agrees = await evaluatePope(
    reader(() => "yes"),
    settings,
  );
  for (const score of Object.values(agrees)) {
    expect(score).toMatchObject({
      accuracy: { right: present, of: 2 * present },
      precision: 0.5,
      recall: 1,
      yesRatio: 1,
    });
    expect(score.f1).toBeCloseTo(2 / 3, 12);
  }
});
