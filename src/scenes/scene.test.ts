import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { type Atlas, loadAtlas, spriteOf } from "./atlas.ts";
import { DOMAINS, type Domain, isWithin, TASKS, type Task } from "./domains.ts";
import { makeScene, type Scene, type SceneOptions, sketchScene } from "./scene.ts";

let atlas: Atlas;
beforeAll(async () => {
  atlas = await loadAtlas();
});

const scenes = (domain: Domain, count: number, options: Partial<SceneOptions> = {}): Scene[] =>
  Array.from({ length: count }, (_, index) => makeScene(atlas, domain, { seed: 5, split: "train", ...options, index }));
const domains: [string, Domain][] = Object.entries(DOMAINS);
const hash = (pixels: Uint8Array) => createHash("sha256").update(pixels).digest("hex").slice(0, 16);

test("a scene depends on its address alone", () => {
  const address = { seed: 9, index: 1234, split: "train" } as const;
  const first = makeScene(atlas, DOMAINS.full, address);
  first.pixels.fill(0); // what a caller does to a picture must not reach the next one
  scenes(DOMAINS.full, 50);
  const again = makeScene({ ...atlas, sprites: new Map() }, DOMAINS.full, address);
  expect(again).toEqual(makeScene(atlas, DOMAINS.full, address));
  expect(again.caption).toBe(first.caption);
  expect(again.pixels.some((value) => value !== 0)).toBe(true);
  for (const other of [{ seed: 10 }, { index: 1235 }, { split: "heldout" as const }])
    expect(makeScene(atlas, DOMAINS.full, { ...address, ...other })).not.toEqual(again);
});

test("pictures are the same bytes everywhere", () => {
  const of = (domain: Domain, index: number, pixels = 64) =>
    hash(makeScene(atlas, domain, { seed: 1, index, split: "train", pixels }).pixels);
  expect([of(DOMAINS.easy, 0), of(DOMAINS.easy, 7), of(DOMAINS.medium, 2), of(DOMAINS.full, 3, 128)]).toEqual([
    "edf74e0ca6fe6e68",
    "2786eb78caa4b7f3",
    "60ce222458f05fc6",
    "39a088e1f7beb46d",
  ]);
});

test.each(domains)("%s: objects lie whole on the lattice and never overlap, at 64 and 128 pixels", (_, domain) => {
  for (const pixels of [64, 128]) {
    const step = (domain.lattice * pixels) / 64;
    const wrong = scenes(domain, 500, { pixels }).filter(({ objects, pixels: rgb }) => {
      const inside = objects.every(
        ({ x, y, size }) =>
          x % step === 0 && y % step === 0 && Math.min(x, y) >= 0 && Math.max(x, y) + size <= pixels && size > 0,
      );
      const apart = objects.every((a, i) =>
        objects
          .slice(i + 1)
          .every((b) => a.x + a.size <= b.x || b.x + b.size <= a.x || a.y + a.size <= b.y || b.y + b.size <= a.y),
      );
      return !inside || !apart || rgb.length !== pixels * pixels * 3;
    });
    expect(wrong.map(({ objects }) => objects)).toEqual([]);
  }
});

test("the picture shows the sprites that it lists, the same pixels wherever they lie", () => {
  let opaque = 0;
  for (const { pixels, width, objects, background } of scenes(DOMAINS.full, 300)) {
    expect(objects.length).toBeGreaterThan(0);
    for (const { class: name, color, x, y, size } of objects) {
      const { rgba } = spriteOf(atlas, name, color, size);
      for (let i = 0; i < size * size; i++) {
        if (rgba[4 * i + 3] !== 255) continue;
        opaque++;
        const at = ((y + Math.floor(i / size)) * width + x + (i % size)) * 3;
        if (pixels[at] !== rgba[4 * i] || pixels[at + 1] !== rgba[4 * i + 1] || pixels[at + 2] !== rgba[4 * i + 2])
          expect.fail(`${color} ${name} on ${background}: pixel ${i} differs`);
      }
    }
  }
  expect(opaque).toBeGreaterThan(50_000);
});

test.each(domains)("%s: tasks come in the stated proportions and show what they are named for", (_, domain) => {
  const seen = Object.fromEntries(TASKS.map((task) => [task, 0])) as Record<Task, number>;
  const all = scenes(domain, 2500);
  for (const { task, objects } of all) {
    seen[task]++;
    const classes = new Set(objects.map((object) => object.class)).size;
    const expected = { single_object: [1, 1], colors: [1, 1], counting: [objects.length, 1] }[task as "colors"] ?? [
      2, 2,
    ];
    expect([objects.length, classes]).toEqual(expected);
    if (task === "color_attr") expect(objects[0].color).not.toBe(objects[1].color);
    if (task === "colors" || task === "color_attr") expect(objects.every(({ color }) => color)).toBe(true);
  }
  for (const task of TASKS) expect(Math.abs(seen[task] / all.length - domain.tasks[task])).toBeLessThan(0.03);
  const counts = all.filter(({ task }) => task === "counting").map(({ objects }) => objects.length);
  for (const n of [2, 3, 4])
    expect(Math.abs(counts.filter((count) => count === n).length / counts.length - 1 / 3)).toBeLessThan(0.09);
});

test.each(domains)(
  "%s: no relation that one could argue about, no colour that its background swallows",
  (_, domain) => {
    const unclear = Array.from({ length: 3000 }, (_, index) =>
      sketchScene(domain, { seed: 6, index, split: "train" }),
    ).filter(({ objects, background }) => {
      const [a, b] = objects.map(({ class: name, x, y, size }) => ({ name, x: x + size / 2, y: y + size / 2 }));
      const diagonal = b && a.name !== b.name && Math.abs(Math.abs(a.x - b.x) - Math.abs(a.y - b.y)) < 8;
      const swallowed = { night: "black", snow: "white", table: "brown", wall: "red" }[background as "night"];
      return diagonal || objects.some(({ color }) => color && color === swallowed);
    });
    expect(unclear.map(({ caption }) => caption)).toEqual([]);
  },
);

test("prompts of quarters name the left or upper object first; those of other domains any", () => {
  const firsts = (domain: Domain) =>
    scenes(domain, 200, { tasks: { two_object: 1, color_attr: 1 } }).map(({ prompt, objects }) => {
      const [first, second] = objects
        .toSorted((a, b) => Math.sign(a.x - b.x + a.y - b.y))
        .map(({ class: name }) => prompt.search(new RegExp(`\\b${name}\\b`)));
      return first < second;
    });
  expect(firsts(DOMAINS.quarters)).not.toContain(false);
  expect(new Set(firsts(DOMAINS.easy)).size).toBe(2);
});

test("a caller may choose the tasks, and is told of what cannot be", () => {
  const two = scenes(DOMAINS.easy, 200, { tasks: { counting: 1, position: 3 } });
  expect(new Set(two.map(({ task }) => task))).toEqual(new Set(["counting", "position"]));
  expect(two.filter(({ task }) => task === "position").length).toBeGreaterThan(120);
  const address = { seed: 0, index: 0, split: "train" } as const;
  expect(() => makeScene(atlas, DOMAINS.easy, { ...address, tasks: {} })).toThrow(/no task/);
  expect(() => makeScene(atlas, DOMAINS.easy, { ...address, index: -1 })).toThrow(/no such scene/);
  expect(() => makeScene(atlas, DOMAINS.easy, { ...address, pixels: 100 })).toThrow(/multiple of 64/);
  const lonely: Domain = { ...DOMAINS.easy, classes: ["dog"] };
  expect(() => makeScene(atlas, lonely, { ...address, tasks: { two_object: 1 } })).toThrow(/nothing to show/);
});

test("quarters are easy scenes with few layouts; others are not within each other", () => {
  const { quarters, easy, medium, full } = DOMAINS;
  expect([isWithin(quarters, easy), isWithin(easy, easy)]).toEqual([true, true]);
  expect([isWithin(easy, quarters), isWithin(medium, easy), isWithin(full, medium)]).toEqual([false, false, false]);
  const layouts = scenes(quarters, 300).map(({ objects }) => objects.map(({ x, y }) => `${x},${y}`).join(" "));
  expect(new Set(layouts.flatMap((layout) => layout.split(" ")))).toEqual(new Set(["0,0", "0,32", "32,0", "32,32"]));
  expect(new Set(layouts.map((layout) => layout.split(" ").sort().join(" "))).size).toBeLessThanOrEqual(15);
});
