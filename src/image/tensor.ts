/** Pictures to what networks read and back (Show-o spec sections 5 and 8). */
import { bool, f32, fail, type NdArray } from "../base/index.ts";
import { type Grey, type Picture, withChannels } from "./picture.ts";
import { cubic, resizeAndCrop } from "./resize.ts";

const TO_UNIT = Float32Array.from({ length: 256 }, (_, v) => (Math.fround(v / 255) - 0.5) / 0.5);

/** Picture of any size to float32 [3, resolution, resolution] in [-1, 1]: resized, cropped to the middle square. */
export function preprocess(picture: Picture, resolution: number): NdArray<"float32"> {
  const { data } = resizeAndCrop(withChannels(picture, 3), resolution);
  const plane = resolution * resolution;
  const out = f32([3, resolution, resolution]);
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) out.data[c * plane + i] = TO_UNIT[data[i * 3 + c]];
  return out;
}

/**
 * Float32 [3, H, W] or [B, 3, H, W] in [-1, 1] to pictures; values are clamped and truncated, not rounded.
 * Errors: another shape, NaN.
 */
export function postprocess(pixels: NdArray<"float32">): Picture[] {
  const { shape, data } = pixels;
  const [batch, channels, height, width] = shape.length === 3 ? [1, ...shape] : shape;
  if (shape.length < 3 || shape.length > 4 || channels !== 3)
    fail("these are not pictures", { expected: "[3, H, W] or [B, 3, H, W]", got: `[${shape}]` });
  const plane = height * width;
  return Array.from({ length: batch }, (_, b) => {
    const out = new Uint8Array(plane * 3);
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < plane; i++) {
        const x = data[(b * 3 + c) * plane + i];
        if (Number.isNaN(x))
          fail("the picture holds NaN", { code: "DIVERGED", hint: "The decoder overflowed; run it in float32." });
        const unit = Math.min(1, Math.max(0, Math.fround(x + 1) / 2));
        out[i * 3 + c] = Math.fround(unit * 255);
      }
    return { width, height, data: out };
  });
}

/**
 * Inpainting mask (255 = edit) of any size to cells [side * side], true = draw anew: resized and cropped as the picture
 * is, then cubic convolution (a = -0.75, four taps, edges repeated, no antialias) down to the grid, at least one half.
 */
export function maskToCells(mask: Grey, side: number, resolution = side * 16): NdArray<"bool"> {
  const { data } = resizeAndCrop(withChannels(mask, 1), resolution);
  const taps = Array.from({ length: side }, (_, cell) => {
    const centre = ((cell + 0.5) * resolution) / side - 0.5;
    const first = Math.floor(centre) - 1;
    return [0, 1, 2, 3].map((i) => ({
      at: Math.min(resolution - 1, Math.max(0, first + i)),
      weight: cubic(Math.abs(centre - first - i), -0.75),
    }));
  });
  const sum = (terms: number[]) => terms.reduce((a, b) => a + b);
  const value = (row: number, column: number) =>
    sum(
      taps[row].map((y) => sum(taps[column].map((x) => (data[y.at * resolution + x.at] / 255) * x.weight)) * y.weight),
    );
  return bool(
    [side * side],
    Array.from({ length: side * side }, (_, cell) => value(Math.floor(cell / side), cell % side) >= 0.5),
  );
}
