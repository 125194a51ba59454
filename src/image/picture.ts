/** Pixels in memory. Nothing here knows files or models. */
import { fail } from "../base/index.ts";

/** 8-bit pixels row by row, channels interleaved: `data[(y * width + x) * channels + channel]`. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** RGB. */
export type Picture = Raster;

/** One channel; in masks 255 means "edit here". */
export type Grey = Raster;

/** A picture of one colour, or of `data`. Errors: a size that is not positive, or data of another length. */
export function picture(
  width: number,
  height: number,
  fill: readonly number[] | Uint8Array = [255, 255, 255],
): Picture {
  checkSize(width, height);
  if (fill instanceof Uint8Array) return withChannels({ width, height, data: fill }, 3);
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = fill[i % 3];
  return { width, height, data };
}

export function checkSize(width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    fail("a picture needs a width and a height of at least one pixel", { got: `${width} x ${height}` });
}

/** The raster itself, once it is known to have `channels` bytes per pixel. */
export function withChannels(raster: Raster, channels: number): Raster {
  const { width, height, data } = raster;
  if (data.length !== width * height * channels)
    fail("pixel data does not fill the picture", {
      expected: `${width} x ${height} x ${channels} = ${width * height * channels} bytes`,
      got: `${data.length}`,
    });
  return raster;
}

/** The part of `source` whose upper left corner is (x, y). */
export function crop(source: Picture, x: number, y: number, width: number, height: number): Picture {
  if (x < 0 || y < 0 || x + width > source.width || y + height > source.height)
    fail("the part to cut out lies outside the picture", {
      expected: `within ${source.width} x ${source.height}`,
      got: `${width} x ${height} at (${x}, ${y})`,
    });
  const out = picture(width, height);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * source.width + x) * 3;
    out.data.set(source.data.subarray(from, from + width * 3), row * width * 3);
  }
  return out;
}

/** Draws `source` into `target` with its upper left corner at (x, y); what falls outside is cut off. */
export function paste(target: Picture, source: Picture, x: number, y: number): void {
  const left = Math.max(0, -x);
  const right = Math.min(source.width, target.width - x);
  if (right <= left) return;
  for (let row = Math.max(0, -y); row < Math.min(source.height, target.height - y); row++) {
    const pixels = source.data.subarray((row * source.width + left) * 3, (row * source.width + right) * 3);
    target.data.set(pixels, ((y + row) * target.width + x + left) * 3);
  }
}
