/** What lessons of scenes ask. */
import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { DOMAINS, loadAtlas } from "../scenes/index.ts";
import { CAPTION_QUESTION, sceneSource } from "./source.ts";

const atlas = await loadAtlas();

async function asked(options: { captionShare: number; questions?: { presence?: number; color_presence?: number } }) {
  const source = sceneSource({ atlas, domain: DOMAINS.easy, seed: 1, pixels: 64, ...options });
  const lessons = await source.lessons(0, 40, "train");
  return lessons.flatMap((lesson, i) => Array.from({ length: 10 }, (_, j) => lesson.dialogue(new Rng(i, j))));
}

test("a share of dialogues are captions, the others questions as often as asked for", async () => {
  const share = (dialogues: { question: string }[], which: RegExp) =>
    dialogues.filter(({ question }) => which.test(question)).length / dialogues.length;
  const [presence, caption] = [/in the image\?$/, new RegExp(CAPTION_QUESTION)];
  const even = await asked({ captionShare: 0.25 });
  expect(share(even, caption)).toBeCloseTo(0.25, 1);
  const often = await asked({ captionShare: 0, questions: { presence: 6, color_presence: 0 } });
  expect(share(often, caption)).toBe(0);
  expect(share(often, presence)).toBeGreaterThan(0.85);
  expect(share(often, presence)).toBeGreaterThan(share(even, presence) + 0.3);
  expect(share(often, /^is there a \w+ \w+\?$/)).toBe(0);
});

test("prompts that tell everything are as many as asked for", async () => {
  const shareOfTyped = async (promptShare?: number) => {
    const source = sceneSource({ atlas, domain: DOMAINS.easy, seed: 1, pixels: 64, promptShare });
    const lessons = await source.lessons(0, 100, "train");
    const prompts = lessons.flatMap((lesson, i) => [0, 1, 2].map((j) => lesson.prompt(new Rng(i, j))));
    return prompts.filter((prompt) => prompt.startsWith("a photo of ")).length / prompts.length;
  };
  const [all, none, usual] = await Promise.all([1, 0, undefined].map(shareOfTyped));
  expect(none).toBe(0);
  expect(all).toBeGreaterThan(0.7);
  expect(usual / all).toBeCloseTo(0.65, 1);
});

test("what is absent is asked anew for each dialogue", async () => {
  const only = await asked({ captionShare: 0, questions: { presence: 50 } });
  const first = only.slice(0, 10).filter(({ answer }) => answer === "no");
  expect(new Set(first.map(({ question }) => question)).size).toBeGreaterThan(2);
});

test("a description fulfils a prompt if it says all that was asked", () => {
  const { fulfils } = sceneSource({ atlas, domain: DOMAINS.easy, seed: 1, pixels: 64 });
  expect(fulfils!("a photo of a dog and a cat", "a cat left of a dog at night")).toBe(true);
  expect(fulfils!("a dog left of a cat", "a cat left of a dog")).toBe(false);
  expect(fulfils!("two red cars", "two cars")).toBe(false);
  expect(fulfils!("two red cars", "something else")).toBe(false);
});
