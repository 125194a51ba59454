import { expect, test } from "vitest";
import { loadAtlas } from "./atlas.ts";
import { DOMAINS } from "./domains.ts";
import { factsOf, implies } from "./facts.ts";
import { genevalPrompts } from "./geneval.ts";
import { parseFacts } from "./grammar.ts";
import { cannotStage, stageScene } from "./stage.ts";

const atlas = await loadAtlas();
const facts = (prompt: string) => parseFacts(prompt, DOMAINS.full)!;

test("a staged scene shows what was asked for, and nothing is said of its background", () => {
  for (const domain of [DOMAINS.easy, DOMAINS.full])
    for (const [index, { prompt }] of genevalPrompts(domain)
      .filter((_, i) => i % 6 === 0)
      .entries()) {
      const asked = parseFacts(prompt, domain)!;
      const scene = stageScene(atlas, domain, asked, { seed: 2, index });
      if (!implies(factsOf(scene), asked)) expect(factsOf(scene), prompt).toEqual(asked);
      expect(scene.background).toBe("plain");
      expect(scene.pixels).toHaveLength(64 * 64 * 3);
    }
});

test("it depends on facts, seed and index alone; a background that is asked for is there", () => {
  const asked = facts("a red car left of a dog at night");
  const stage = (index: number) => stageScene(atlas, DOMAINS.easy, asked, { seed: 2, index, pixels: 128 });
  expect(stage(0)).toEqual(stage(0));
  expect(stage(0)).toMatchObject({ width: 128, background: "night", objects: [{ class: "car" }, { class: "dog" }] });
  const places = new Set(Array.from({ length: 8 }, (_, i) => stage(i).objects[0].y));
  expect(places.size).toBeGreaterThan(1);
});

test("what no scene can show is said", () => {
  expect(cannotStage(facts("a blue kite"))).toBe("scenes have no blue kite");
  expect(cannotStage(facts("three dogs and two cats"))).toBe("scenes have 4 objects at most");
  expect(cannotStage(facts("a red car and a blue car"))).toBe("both objects are of one class");
  expect(cannotStage(facts("a red car and three dogs"))).toBeUndefined();
});
