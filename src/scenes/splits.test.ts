import { expect, test } from "vitest";
import { DOMAINS, type Domain } from "./domains.ts";
import { type Sketch, sketchScene } from "./scene.ts";
import {
  classPairs,
  colorPairs,
  heldOutColors,
  heldOutPairs,
  isColorHeldOut,
  isPairHeldOut,
  type Split,
} from "./splits.ts";

const domains: [string, Domain][] = Object.entries(DOMAINS);

const stream = (domain: Domain, split: Split, count: number): Sketch[] =>
  Array.from({ length: count }, (_, index) => sketchScene(domain, { seed: 3, index, split }));

const isPair = ({ objects }: Sketch) => new Set(objects.map((object) => object.class)).size === 2;

test.each(domains)("%s: about a fifth of the pairs is held out, a twentieth of the colours", (_, domain) => {
  const pairs = heldOutPairs(domain).length / classPairs(domain).length;
  const natural = colorPairs(domain).filter(([color, name]) => !isColorHeldOut(color, name)).length;
  const colors = heldOutColors(domain).length / colorPairs(domain).length;
  expect(natural + heldOutColors(domain).length).toBe(colorPairs(domain).length);
  expect(pairs).toBeGreaterThan(0.14);
  expect(pairs).toBeLessThan(0.24);
  expect(colors).toBeGreaterThan(0.02);
  expect(colors).toBeLessThan(0.08);
});

test.each(domains)("%s: no class and no colour is held out for the most part", (_, domain) => {
  const share = (all: unknown[][], held: unknown[][], item: unknown) =>
    held.filter((pair) => pair.includes(item)).length / all.filter((pair) => pair.includes(item)).length;
  for (const name of domain.classes)
    expect(share(classPairs(domain), heldOutPairs(domain), name), name).toBeLessThan(0.4);
  for (const color of domain.colors) {
    const [all, held] = [colorPairs(domain), heldOutColors(domain)].map((pairs) => pairs.filter(([c]) => c === color));
    expect(held.length / all.length, color).toBeLessThan(0.4);
  }
});

test("the order of a pair does not matter, and the colour a class comes in stays", () => {
  for (const [a, b] of classPairs(DOMAINS.full)) expect(isPairHeldOut(a, b)).toBe(isPairHeldOut(b, a));
  expect(isColorHeldOut("red", "apple")).toBe(false);
});

test.each(domains)("%s: training never shows or names what is held out", (_, domain) => {
  const forbidden = heldOutColors(domain).map(([color, name]) => ` ${color} ${name}?`);
  const wrong = stream(domain, "train", 2000).filter(
    (scene) =>
      scene.objects.some(({ class: name, color }) => color && isColorHeldOut(color, name)) ||
      (isPair(scene) && isPairHeldOut(scene.objects[0].class, scene.objects[1].class)) ||
      scene.questions.some(({ question }) => forbidden.some((phrase) => question.includes(phrase))),
  );
  expect(wrong.map(({ caption }) => caption)).toEqual([]);
});

test.each(domains)("%s: held-out scenes show nothing else where a combination is at stake", (_, domain) => {
  const all = stream(domain, "heldout", 1500);
  const [pairs, colors] = [all.filter(isPair), all.filter(({ task }) => task === "colors")];
  expect(pairs.length).toBeGreaterThan(500);
  expect(colors.length).toBeGreaterThan(200);
  for (const { objects } of pairs) expect(isPairHeldOut(objects[0].class, objects[1].class)).toBe(true);
  for (const { objects } of colors) expect(isColorHeldOut(objects[0].color!, objects[0].class)).toBe(true);
});
