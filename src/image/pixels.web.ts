/// <reference lib="dom" />
/** Picture files to pixels and back with what a page has: its decoders, a canvas, and zlib for exact PNGs. */
import { fail } from "../base/index.ts";
import type { Picture, Raster } from "./picture.ts";
import type { Format } from "./pixels.ts";
import { chunk, concat, SIGNATURE } from "./png-text.ts";

export type { Format } from "./pixels.ts";

/** Larger pictures are refused. */
export const MAX_PIXELS = 64_000_000;

/** Bytes of a file, by its address. */
export async function loadFile(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((cause) =>
    fail("the picture cannot be fetched", { where: url, code: "NOT_FOUND", got: String(cause), cause }),
  );
  if (!response.ok)
    fail("there is no such picture", { where: url, code: "NOT_FOUND", got: `status ${response.status}` });
  return new Uint8Array(await response.arrayBuffer());
}

/** Pixels with transparency, upright. `where` names the picture in errors. */
export async function decodePixels(bytes: Uint8Array, where: string): Promise<Raster> {
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
  const bitmap = await createImageBitmap(blob, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
    imageOrientation: "from-image",
  }).catch((cause) =>
    fail("the picture is damaged, or of a kind that this browser does not read", {
      where,
      code: "BAD_FILE",
      got: cause instanceof Error ? cause.message : String(cause),
      cause,
    }),
  );
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS)
    fail("the picture is too large", {
      where,
      expected: `at most ${MAX_PIXELS / 1e6} megapixels`,
      got: `${width} x ${height}`,
      hint: "Make it smaller first.",
    });
  const canvas = context(width, height);
  canvas.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: new Uint8Array(canvas.getImageData(0, 0, width, height).data.buffer) };
}

function context(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  return canvas ?? fail("this browser has no canvas to decode pictures with", { code: "BACKEND_UNAVAILABLE" });
}

/** RGB pixels as the bytes of a file. PNG is written here: some browsers add noise to what comes from a canvas. */
export async function encodePixels(picture: Picture, format: Format, quality: number): Promise<Uint8Array> {
  if (format === "png") return encodePng(picture);
  const { width, height } = picture;
  const canvas = context(width, height);
  const pixels = canvas.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[i * 4 + c] = picture.data[i * 3 + c];
    pixels.data[i * 4 + 3] = 255;
  }
  canvas.putImageData(pixels, 0, 0);
  const type = `image/${format}`;
  const blob = await canvas.canvas.convertToBlob({ type, quality: quality / 100 });
  if (blob.type !== type) fail(`this browser does not write ${format}`, { hint: "Use png." });
  return new Uint8Array(await blob.arrayBuffer());
}

/** 8-bit RGB, no row filter (PNG specification, sections 9 and 11.2). */
async function encodePng({ width, height, data }: Picture): Promise<Uint8Array> {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, 2);
  const rows = new Uint8Array(height * (1 + width * 3));
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * width * 3, (y + 1) * width * 3), y * (1 + width * 3) + 1);
  const zlib = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(zlib).arrayBuffer());
  const chunks = [chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  return concat([Uint8Array.from(SIGNATURE), ...chunks]);
}
