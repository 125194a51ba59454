import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { f32 } from "../base/index.ts";
import { maskToCells, postprocess, preprocess, resizeAndCrop } from "./index.ts";

/** Field of a golden case; safetensors by hand because this folder does not know the reader. */
function golden(group: string, name: string): { shape: number[]; bytes: Uint8Array } {
  const file = readFileSync(join(import.meta.dirname, `../../test/golden-data/show-o/cases_${group}.safetensors`));
  const start = 8 + Number(file.readBigUInt64LE());
  const { shape, data_offsets } = JSON.parse(file.toString("utf8", 8, start))[name];
  return { shape, bytes: Uint8Array.from(file.subarray(start + data_offsets[0], start + data_offsets[1])) };
}
const raster = (group: string, name: string) => {
  const { shape, bytes } = golden(group, name);
  return { width: shape[1], height: shape[0], data: bytes };
};
const floats = (group: string, name: string) => new Float32Array(golden(group, name).bytes.buffer);

test.each(["image_pre_landscape", "image_pre_portrait"])("%s: resized bytes and pixels are equal", (id) => {
  const rgb = raster("image", `${id}.rgb`);
  expect(resizeAndCrop(rgb, 64).data).toEqual(golden("image", `${id}.resized_cropped_u8`).bytes);
  expect(preprocess(rgb, 64)).toEqual(f32([3, 64, 64], floats("image", `${id}.pixels`)));
});

test("pixels of the inpainting case are equal", () => {
  const pixels = preprocess(raster("t2i", "inpaint_cfg175_S4.rgb"), 64);
  expect(pixels.data).toEqual(floats("t2i", "inpaint_cfg175_S4.pixels_in"));
});

test("postprocess truncates as the golden case does", () => {
  const [picture] = postprocess(f32([1, 3, 8, 8], floats("image", "image_post.pixels")));
  expect(picture).toEqual({ width: 8, height: 8, data: golden("image", "image_post.u8").bytes });
});

test("postprocess splits a batch, clamps, and refuses NaN and other shapes", () => {
  const pixels = f32([2, 3, 1, 1], [-2, 0, 0.999, 3, -1, 1]);
  expect(postprocess(pixels).map((p) => [...p.data])).toEqual([
    [0, 127, 254],
    [255, 0, 255],
  ]);
  // In float32 this reaches 187, in float64 188.
  expect(postprocess(f32([3, 1, 1], [0.47450974583625793, 0, 0]))[0].data[0]).toBe(187);
  expect(() => postprocess(f32([3, 1, 1], [0, Number.NaN, 0]))).toThrow("holds NaN");
  expect(() => postprocess(f32([1, 2, 2], [0, 0, 0, 0]))).toThrow("these are not pictures");
});

test("the inpainting mask of the golden case gives its cells", () => {
  const cells = maskToCells(raster("t2i", "inpaint_cfg175_S4.mask_u8"), 4);
  expect(cells.data).toEqual(golden("t2i", "inpaint_cfg175_S4.token_mask").bytes);
  expect([0, 16]).not.toContain(cells.data.reduce((a, b) => a + b));
});

test("a cell is edited from one half on, by the four middle pixels of each axis", () => {
  const shaded = (grey: number, ...columns: number[]) => ({
    width: 32,
    height: 32,
    data: Uint8Array.from({ length: 32 * 32 }, (_, i) => (columns.includes(i % 32) ? grey : 0)),
  });
  const columns = (...white: number[]) => shaded(255, ...white);
  // Weights of columns 6..9 of a cell: -3/32, 19/32, 19/32, -3/32.
  expect([...maskToCells(columns(6, 7, 24, 25), 2).data]).toEqual([1, 1, 1, 1]);
  expect([...maskToCells(columns(6, 7, 9, 24), 2).data]).toEqual([0, 1, 0, 1]);
  expect([...maskToCells(columns(0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15), 2).data]).toEqual([0, 0, 0, 0]);
  // 215/255 * 19/32 = 0.5006, 214/255 * 19/32 = 0.4983.
  expect([...maskToCells(shaded(215, 7, 24), 2).data]).toEqual([1, 1, 1, 1]);
  expect([...maskToCells(shaded(214, 7, 24), 2).data]).toEqual([0, 0, 0, 0]);
  // Cells of two pixels reach over the edge, which repeats.
  expect([...maskToCells({ width: 4, height: 4, data: new Uint8Array(16).fill(128) }, 2, 4).data]).toEqual([
    1, 1, 1, 1,
  ]);
});
