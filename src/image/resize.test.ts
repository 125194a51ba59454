import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { enlarge, type Filter, picture, resize, resizeAndCrop } from "./index.ts";

/** Bytes by a rule, so that another implementation can make the same picture. */
const raster = (width: number, height: number, channels: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * channels }, (_, i) => (i * i * 7 + i * 13) >> 3),
});

// Hashes of what Pillow 9.4.0 gives: filter, channels, size, new size.
const PILLOW: [Filter, number, number, number, number, number, string][] = [
  ["box", 3, 37, 23, 64, 64, "77cc2642bb043626"],
  ["box", 3, 200, 150, 64, 48, "5aa08177b264b80e"],
  ["box", 1, 90, 31, 17, 70, "6271cdec2129eb76"],
  ["bilinear", 3, 37, 23, 64, 64, "45637ff798542c01"],
  ["bilinear", 3, 200, 150, 64, 48, "d24cf16bd6a0591f"],
  ["bilinear", 1, 90, 31, 17, 70, "5c88bd7af237afba"],
  ["bicubic", 3, 37, 23, 64, 64, "83d17dae5c849835"],
  ["bicubic", 3, 200, 150, 64, 48, "f42fbef987d4560d"],
  ["bicubic", 1, 90, 31, 17, 70, "b4dd102e8b5cd60a"],
  ["lanczos", 3, 37, 23, 64, 64, "8a8ba8ca275ce45f"],
  ["lanczos", 3, 200, 150, 64, 48, "64ba3328baa38951"],
  ["lanczos", 1, 90, 31, 17, 70, "942483cca179f09a"],
];

test.each(PILLOW)(
  "%s, %i channels, %i x %i to %i x %i equals Pillow",
  (filter, channels, w, h, width, height, hash) => {
    const { data } = resize(raster(w, h, channels), width, height, { filter });
    expect(createHash("sha256").update(data).digest("hex").slice(0, 16)).toBe(hash);
  },
);

test("a window of the result is the same as the part of the whole", () => {
  const size = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(size, size, size, size, fc.nat(1000), fc.nat(1000), (w, h, width, height, a, b) => {
      const source = raster(w, h, 1);
      const window = { x: a % width, y: b % height, width: 1 + (b % (width - (a % width))), height: 1 };
      const whole = resize(source, width, height).data;
      const at = window.y * width + window.x;
      expect(resize(source, width, height, { window }).data).toEqual(whole.slice(at, at + window.width));
    }),
  );
});

test("the same size changes nothing, one colour stays one colour", () => {
  const source = raster(13, 7, 3);
  for (const filter of ["box", "bilinear", "bicubic", "lanczos"] as const) {
    expect(resize(source, 13, 7, { filter }).data).toEqual(source.data);
    expect(new Set(resize(picture(9, 5, [77, 77, 77]), 31, 2, { filter }).data)).toEqual(new Set([77]));
  }
});

test("crop offsets round ties to even", () => {
  // 5 wide and 6 high at side 5: rows (6 - 5) / 2 = 0.5 rounds to 0. 5 x 8: 1.5 rounds to 2.
  const rows = (height: number) => ({
    width: 5,
    height,
    data: Uint8Array.from({ length: 5 * height }, (_, i) => i / 5),
  });
  expect(resizeAndCrop(rows(6), 5).data[0]).toBe(0);
  expect(resizeAndCrop(rows(8), 5).data[0]).toBe(2);
});

test("a very long picture needs no memory beyond its middle", () => {
  const long = { width: 2_000_000, height: 1, data: new Uint8Array(6_000_000).fill(9) };
  expect(new Set(resizeAndCrop(long, 512).data)).toEqual(new Set([9]));
});

test("enlarging by whole factors repeats pixels", () => {
  const source = picture(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6));
  expect([...enlarge(source, 4, 2).data]).toEqual([
    1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6,
  ]);
  expect(enlarge(source, 3, 1)).toEqual(resize(source, 3, 1));
  expect(() => enlarge(source, 0, 1)).toThrow("at least one pixel");
});
