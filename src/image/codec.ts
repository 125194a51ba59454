/** Picture files to pixels and back. Knows formats by their first bytes; writes no files: it returns bytes. */
import { fail } from "../base/index.ts";
import { type Grey, type Picture, type Raster, withChannels } from "./picture.ts";
import { decodePixels, encodePixels, type Format, loadFile } from "./pixels.ts";
import { addPngText } from "./png-text.ts";

export { type Format, MAX_PIXELS } from "./pixels.ts";

const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** Format by the first bytes; the name of the file does not count. */
function formatOf(bytes: Uint8Array): string | undefined {
  if (ascii(bytes, 1, 4) === "PNG" && bytes[0] === 0x89) return "PNG";
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "JPEG";
  if (ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 12) === "WEBP") return "WebP";
  if (ascii(bytes, 0, 4) === "GIF8") return "GIF";
  if (["II*\0", "MM\0*"].includes(ascii(bytes, 0, 4))) return "TIFF";
  if (["ftypavif", "ftypavis"].includes(ascii(bytes, 4, 12))) return "AVIF";
  return undefined;
}

async function readRgba(source: string | Uint8Array): Promise<Raster> {
  const bytes = typeof source === "string" ? await loadFile(source) : source;
  const where = typeof source === "string" ? source : "picture";
  if (bytes.length === 0) fail("the picture file is empty", { where, code: "BAD_FILE" });
  if (!formatOf(bytes))
    fail("this is not a picture", {
      where,
      code: "BAD_FILE",
      expected: "PNG, JPEG, WebP, GIF, TIFF or AVIF",
      got: `a file that begins with ${JSON.stringify(ascii(bytes, 0, 16))}`,
    });
  return decodePixels(bytes, where);
}

/**
 * Decodes PNG, JPEG, WebP, GIF (first frame), TIFF or AVIF, upright by its EXIF orientation, transparency on white.
 * Errors: NOT_FOUND; BAD_FILE for empty, damaged, cut short or other files; BAD_INPUT above MAX_PIXELS.
 */
export async function readPicture(source: string | Uint8Array): Promise<Picture> {
  const { width, height, data } = await readRgba(source);
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const alpha = data[i * 4 + 3];
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = (data[i * 4 + c] * alpha + 255 * (255 - alpha) + 127) / 255;
  }
  return { width, height, data: rgb };
}

/** Which pixels of a mask mean "edit": transparent, white or black ones. */
export type MaskMode = "auto" | "alpha" | "white" | "black";

/**
 * Decodes a mask to grey with 255 = edit. "auto": transparent pixels if there are any (OpenAI's convention), else white
 * ones (Show-o's and diffusers' convention). Errors: as `readPicture`.
 */
export async function readMask(source: string | Uint8Array, mode: MaskMode = "auto"): Promise<Grey> {
  const { width, height, data: rgba } = await readRgba(source);
  const data = new Uint8Array(width * height);
  let byAlpha = mode === "alpha";
  for (let i = 3; mode === "auto" && !byAlpha && i < rgba.length; i += 4) byAlpha = rgba[i] < 255;
  for (let i = 0; i < data.length; i++) {
    const at = i * 4;
    // Luminance as Pillow rounds it (ITU-R 601-2).
    const grey = (rgba[at] * 19595 + rgba[at + 1] * 38470 + rgba[at + 2] * 7471 + 0x8000) >> 16;
    data[i] = byAlpha ? 255 - rgba[at + 3] : mode === "black" ? 255 - grey : grey;
  }
  return { width, height, data };
}

/**
 * Bytes of a picture file. `quality` 1..100 for JPEG and WebP (default 90); `text` by keyword for PNG only, readable
 * with `readPngText`. Errors: quality out of range, data that does not fill the picture.
 */
export async function encodePicture(
  picture: Picture,
  format: Format = "png",
  { quality = 90, text = {} }: { quality?: number; text?: Readonly<Record<string, string>> } = {},
): Promise<Uint8Array> {
  const { width, height, data } = withChannels(picture, 3);
  if (!(quality >= 1 && quality <= 100)) fail("quality out of range", { expected: "1 to 100", got: `${quality}` });
  const file = await encodePixels({ width, height, data }, format, quality);
  return format === "png" ? addPngText(file, text) : file;
}
