import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { loadDetector } from "../models/detector/index.ts";
import { DOMAINS, type Facts, loadAtlas, parseFacts, sameFacts, TASKS } from "../scenes/index.ts";
import { acceptanceOf, type Case, calibrate, detectorCases, oneFactWrong } from "./detector.ts";

const domain = DOMAINS.easy;
const facts = (prompt: string) => parseFacts(prompt, domain)!;

test("the judge of the package: scenes it has not seen, drawn and degraded", async () => {
  const detector = await loadDetector();
  const settings = { atlas: await loadAtlas(), domain, scenes: 8, seed: 12345 };
  const accepted = async (show: "drawn" | "degraded" | "ruined") => {
    const accepted = acceptanceOf(await detectorCases(detector, { ...settings, show }), detector.thresholds);
    expect(accepted.colors.trueAccept.of).toBe(8);
    const count = (of: "trueAccept" | "falseAccept") => TASKS.reduce((sum, task) => sum + accepted[task][of].right, 0);
    return [count("trueAccept"), count("falseAccept")];
  };
  // Of 48 scenes.
  const [drawn, degraded, ruined] = [await accepted("drawn"), await accepted("degraded"), await accepted("ruined")];
  expect(drawn[0]).toBeGreaterThanOrEqual(47);
  expect(degraded[0]).toBeGreaterThanOrEqual(45);
  expect(Math.max(drawn[1], degraded[1])).toBeLessThanOrEqual(1);
  expect(ruined[0]).toBeLessThanOrEqual(5);
  await detector.dispose();
});

test("a wrong prompt differs from the right one in one fact", () => {
  const rng = new Rng(3);
  const wrong = (task: (typeof TASKS)[number], prompt: string) =>
    Array.from({ length: 30 }, () => oneFactWrong(task, facts(prompt), domain, rng));
  const differ = (a: Facts, b: Facts) =>
    a.groups.filter((group, i) => JSON.stringify(group) !== JSON.stringify(b.groups[i])).length;
  for (const [task, prompt] of [
    ["single_object", "a dog"],
    ["two_object", "a dog and a cat"],
    ["counting", "three dogs"],
    ["counting", "four dogs on grass"],
    ["colors", "a red car"],
    ["color_attr", "a red car and a blue bird"],
  ] as const)
    for (const other of wrong(task, prompt)) expect(differ(other, facts(prompt)), prompt).toBe(1);
  expect(new Set(wrong("counting", "three dogs").map(({ groups: [group] }) => group.count))).toEqual(new Set([2, 4]));
  for (const other of wrong("position", "a dog above a cat"))
    expect(sameFacts(other, facts("a dog below a cat"))).toBe(true);
});

test("thresholds are the strictest of those that tell right from wrong best", () => {
  const seen = (name: string, score: number) => ({ class: name, score, x: 0, y: 0, width: 8, height: 8, color: null });
  const single = (score: number): Case => ({
    ...{ task: "single_object", right: facts("a dog"), wrong: facts("a cat") },
    found: [seen("dog", score), seen("cat", 0.42)],
  });
  const counted = (...scores: number[]): Case => ({
    ...{ task: "counting", right: facts("two dogs"), wrong: facts("three dogs") },
    found: scores.map((score) => seen("dog", score)),
  });
  const cases = [single(0.82), single(0.93), counted(0.9, 0.71, 0.33), counted(0.9, 0.8, 0.52)];
  expect(calibrate(cases)).toEqual({ present: 0.8, counted: 0.7 });
  // A blob that scores 0.85 is to be refused.
  expect(calibrate(cases, [single(0.85), single(0.85)])).toEqual({ present: 0.9, counted: 0.7 });
  expect(acceptanceOf(cases, { present: 0.3, counted: 0.3 })).toMatchObject({
    single_object: { trueAccept: { right: 2 }, falseAccept: { right: 2, of: 2 } },
    counting: { trueAccept: { right: 0 }, falseAccept: { right: 2 } },
  });
});
