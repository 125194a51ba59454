import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { loadAtlas } from "./atlas.ts";
import { degrade, ruin, scramble, shifted } from "./degrade.ts";
import { DOMAINS } from "./domains.ts";
import { makeScene } from "./scene.ts";

const atlas = await loadAtlas();
const { pixels } = makeScene(atlas, DOMAINS.easy, { seed: 1, index: 3, split: "train" });
const meanError = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;

test("pictures are spoilt by their seed, some hardly, most visibly, none beyond recognition", () => {
  const errors = Array.from({ length: 60 }, (_, i) => meanError(degrade(pixels, new Rng(i)), pixels));
  expect(errors.filter((error) => error > 2).length).toBeGreaterThan(35);
  expect(Math.max(...errors)).toBeLessThan(60);
  expect(degrade(pixels, new Rng(5))).toEqual(degrade(pixels, new Rng(5)));
});

test("scrambling keeps every cell and moves most of them", () => {
  const cells = (data: Uint8Array) =>
    Array.from({ length: 64 }, (_, cell) => {
      const [x, y] = [(cell % 8) * 8, Math.floor(cell / 8) * 8];
      return Array.from({ length: 8 }, (_, row) =>
        data.subarray(((y + row) * 64 + x) * 3, ((y + row) * 64 + x + 8) * 3).join(),
      ).join();
    });
  const [before, after] = [cells(pixels), cells(scramble(pixels, new Rng(2)))];
  expect([...after].sort()).toEqual([...before].sort());
  expect(after.filter((cell, i) => cell === before[i]).length).toBeLessThan(50);
});

test("ruining touches its square alone and leaves no sharp edge in it", () => {
  const ruined = ruin(pixels, { x: 16, y: 8, size: 32 }, new Rng(4));
  const inside = (i: number) => {
    const [x, y] = [Math.floor(i / 3) % 64, Math.floor(i / 192)];
    return x >= 16 && x < 48 && y >= 8 && y < 40;
  };
  expect(ruined.every((value, i) => inside(i) || value === pixels[i])).toBe(true);
  let steepest = 0;
  for (let y = 9; y < 39; y++)
    for (let i = (y * 64 + 17) * 3; i < (y * 64 + 47) * 3; i++)
      steepest = Math.max(steepest, Math.abs(ruined[i] - ruined[i + 3]));
  expect(steepest).toBeGreaterThan(0);
  expect(steepest).toBeLessThan(80);
});

test("shifting moves every pixel and repeats the edge", () => {
  const moved = shifted(pixels, 2, -3);
  const at = (data: Uint8Array, x: number, y: number) => [...data.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3)];
  expect(at(moved, 30, 20)).toEqual(at(pixels, 28, 23));
  expect(at(moved, 0, 63)).toEqual(at(pixels, 0, 63));
  expect(at(moved, 1, 60)).toEqual(at(pixels, 0, 63));
});
