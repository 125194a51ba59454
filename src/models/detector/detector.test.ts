import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, Rng, sizeOf } from "../../base/index.ts";
import {
  DETECTOR_SIZES,
  type DetectorConfig,
  detectorParameters,
  loadDetector,
  peaksOf,
  saveDetector,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-detector-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** 16 pixels a side, 4x4 cells. */
const config: DetectorConfig = {
  ...DETECTOR_SIZES,
  ...{ resolution: 16, width: 8, deepWidth: 16 },
  classes: ["dog", "cat"],
  colors: ["red"],
};

test("peaks become objects: the highest of nine cells, boxes in pixels, the likeliest colour", () => {
  const [centers, boxes, colors] = [f32([2, 4, 4]), f32([4, 4, 4]), f32([2, 4, 4])];
  centers.data.fill(-9);
  const dog = 1 * 4 + 2;
  centers.data[dog] = Math.log(4); // 0.8
  centers.data[dog + 5] = 1; // beside it, so no peak
  const cat = 16 + 3 * 4;
  centers.data[cat] = Math.log(9); // 0.9
  centers.data[cat + 2] = Math.log(9); // two cells away, so another one
  centers.data[16] = -2.95; // a score of 0.0497
  for (const [i, value] of [0.5, 0.25, 2, 3].entries()) boxes.data[i * 16 + dog] = value;
  colors.data[dog] = 1;
  colors.data[16 + 12] = 1;
  expect(peaksOf(config, { centers, boxes, colors })).toEqual([
    { class: "cat", score: expect.closeTo(0.9, 6), x: 0, y: 12, width: 0, height: 0, color: null },
    { class: "cat", score: expect.closeTo(0.9, 6), x: 8, y: 12, width: 0, height: 0, color: "red" },
    // The centre is at (2.5, 1.25) cells of 4 pixels.
    { class: "dog", score: expect.closeTo(0.8, 6), x: 10 - 4, y: 5 - 6, width: 8, height: 12, color: "red" },
  ]);
});

test("of equal neighbours one is a peak", () => {
  const centers = f32([2, 4, 4]);
  centers.data.fill(-9);
  centers.data.fill(2, 0, 3);
  expect(peaksOf(config, { centers, boxes: f32([4, 4, 4]), colors: f32([2, 4, 4]) })).toHaveLength(1);
});

const rng = new Rng(1);
const weights = new Map(
  [...detectorParameters(config)].map(([name, shape]) => [
    name,
    f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => Math.fround(Math.round(rng.normal() * 64) / 256)),
    ),
  ]),
);
const parts = { config, weights, thresholds: { present: 0.4, counted: 0.6 }, domain: "easy", card: "# a detector\n" };
const pixels = f32(
  [3, 16, 16],
  Float32Array.from({ length: 768 }, () => rng.uniform() * 2 - 1),
);

test("a saved detector sees what it saw; its features have the width of the deepest layer", async () => {
  await saveDetector(join(folder, "one"), parts);
  const detector = await loadDetector(join(folder, "one"));
  expect(detector).toMatchObject({ config, thresholds: parts.thresholds, domain: "easy" });
  const first = await detector.look(pixels);
  expect(first.features).toHaveLength(16);
  expect(first.found.length).toBeGreaterThan(0);
  expect(await detector.look(pixels)).toEqual(first);
  await expect(detector.look(f32([3, 8, 8]))).rejects.toThrow(/does not take pictures of this size/);
  await detector.dispose();
});

test("what does not fit is refused: names, numbers, settings", async () => {
  const less = new Map([...weights].slice(1));
  await expect(saveDetector(join(folder, "bad"), { ...parts, weights: less })).rejects.toThrow(/1 missing/);
  const broken = new Map(weights).set("down.bias", f32([16], new Float32Array(16).fill(Number.NaN)));
  await expect(saveDetector(join(folder, "bad"), { ...parts, weights: broken })).rejects.toThrow(/not finite/);
  await expect(loadDetector(join(folder, "nowhere"))).rejects.toMatchObject({ code: "NOT_FOUND" });

  const other = join(folder, "other");
  cpSync(join(folder, "one"), other, { recursive: true });
  const settings = JSON.parse(readFileSync(join(other, "detector.json"), "utf8"));
  const change = (changes: object) =>
    writeFileSync(join(other, "detector.json"), JSON.stringify({ ...settings, ...changes }));
  change({ thresholds: { present: 2, counted: 0.5 } });
  await expect(loadDetector(other)).rejects.toThrow(/detector\.json, thresholds, present: .*not the settings/);
  change({ config: { ...config, groups: 3 } });
  await expect(loadDetector(other)).rejects.toThrow(/contradict/);
  change({ config: { ...config, classes: ["dog"] } });
  await expect(loadDetector(other)).rejects.toMatchObject({ code: "BAD_WEIGHTS" });
  copyFileSync(join(other, "README.md"), join(other, "detector.json"));
  await expect(loadDetector(other)).rejects.toMatchObject({ code: "BAD_FILE" });
});
