import { beforeAll, expect, test } from "vitest";
import { type Atlas, loadAtlas, spriteOf } from "./atlas.ts";
import { CLASS_NAMES, CLASSES } from "./classes.ts";
import { colorsOf, DOMAINS, type Domain, naturalOf, sharedSizes } from "./domains.ts";
import { COLORS, recolor } from "./recolor.ts";
import { sheet } from "./sheet.ts";

let atlas: Atlas;
beforeAll(async () => {
  atlas = await loadAtlas();
});

test("every class has a drawing that fills its cell", () => {
  for (const name of CLASS_NAMES) {
    const rgba = atlas.drawings.get(name)!;
    let opaque = 0;
    for (let i = 3; i < rgba.length; i += 4) if (rgba[i] > 128) opaque++;
    expect(opaque, name).toBeGreaterThan(400);
  }
});

test("a colour that a class comes in gives its drawing; others change it", () => {
  expect(spriteOf(atlas, "apple", "red", 32)).toBe(spriteOf(atlas, "apple", null, 32));
  expect(spriteOf(atlas, "apple", "green", 32).rgba).not.toEqual(spriteOf(atlas, "apple", null, 32).rgba);
  expect(() => spriteOf(atlas, "zebra", "green", 32)).toThrow(/cannot be painted/);
});

test("no class has two colours that look alike, nor one that looks like its own drawing", () => {
  for (const name of CLASS_NAMES) {
    const looks = [null, ...colorsOf(DOMAINS.full, name).filter((color) => color !== CLASSES[name].natural)];
    const sprites = looks.map((color) => spriteOf(atlas, name, color, 32).rgba);
    for (const [i, a] of sprites.entries())
      for (const [j, b] of sprites.entries()) {
        if (j <= i) continue;
        let far = 0; // pixels that clearly differ
        for (let p = 0; p < a.length; p += 4) {
          const d = Math.abs(a[p] - b[p]) + Math.abs(a[p + 1] - b[p + 1]) + Math.abs(a[p + 2] - b[p + 2]);
          if (a[p + 3] > 128 && d > 60) far++;
        }
        if (far < 25) expect.fail(`${name}: ${looks[i]} and ${looks[j]} look alike`);
      }
  }
});

test("recolouring moves the mean of the dominant hue to the target and leaves other hues", () => {
  const pixels = [200, 20, 20, 255, 100, 10, 10, 255, 20, 20, 200, 255, 128, 128, 128, 255];
  const out = recolor(Uint8Array.from(pixels), "green", "hue");
  expect([...out.slice(8)]).toEqual(pixels.slice(8));
  expect([...out.slice(0, 8)]).toEqual([53, 167, 72, 255, 27, 115, 42, 255]);
  const grey = recolor(Uint8Array.from([128, 128, 128, 255, 200, 20, 20, 255]), "blue", "grey");
  expect([...grey]).toEqual([...COLORS.blue, 255, 200, 20, 20, 255]);
});

test("reducing averages areas and weighs colours by alpha", () => {
  const drawing = new Uint8Array(80 * 80 * 4);
  // Left half opaque white, right half transparent red: at one pixel, half-transparent white.
  for (let i = 0; i < 80 * 80; i++) drawing.set(i % 80 < 40 ? [255, 255, 255, 255] : [255, 0, 0, 0], i * 4);
  const fake: Atlas = { drawings: new Map([["dog", drawing]]), sprites: new Map() };
  expect([...spriteOf(fake, "dog", null, 1).rgba]).toEqual([255, 255, 255, 128]);
  expect([...spriteOf(fake, "dog", null, 5).rgba.slice(0, 20)].filter((_, i) => i % 4 === 3)).toEqual([
    255, 255, 128, 0, 0,
  ]);
});

test("domains hold together: sizes fit side by side on the lattice, colours are nameable", () => {
  for (const domain of Object.values(DOMAINS) as Domain[]) {
    expect(sharedSizes(domain).length).toBeGreaterThan(0);
    expect(domain.sizes.filter((size) => size % domain.lattice)).toEqual([]);
    expect(new Set(domain.classes).size).toBe(domain.classes.length);
    for (const name of domain.classes) {
      const natural = naturalOf(domain, name);
      if (natural) expect(colorsOf(domain, name)).toContain(natural);
    }
  }
});

test("a contact sheet tiles and enlarges", () => {
  const picture = (value: number) => ({ pixels: new Uint8Array(3).fill(value), width: 1, height: 1 });
  const { pixels, width, height } = sheet([10, 20, 30].map(picture), { columns: 2, enlarge: 2, gap: 1 });
  expect([width, height]).toEqual([5, 5]);
  const grey = Array.from({ length: 25 }, (_, i) => pixels[i * 3]);
  const rows = [0, 1, 2, 3, 4].map((y) => grey.slice(y * 5, y * 5 + 5));
  expect(rows).toEqual([
    [10, 10, 255, 20, 20],
    [10, 10, 255, 20, 20],
    [255, 255, 255, 255, 255],
    [30, 30, 255, 255, 255],
    [30, 30, 255, 255, 255],
  ]);
  expect(() => sheet([])).toThrow(/at least one/);
});
