/** Picture files to pixels and back through sharp, loaded when first used. In a page pixels.web.ts does the same. */
import { FewstepError, fail } from "../base/index.ts";
import { type Picture, type Raster, withChannels } from "./picture.ts";

/** Larger pictures are refused before they are decoded. */
export const MAX_PIXELS = 64_000_000;
const MAX_FILE_BYTES = 256 * 2 ** 20;

export type Format = "png" | "jpeg" | "webp";

async function sharp() {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    return fail("the picture codec does not load", {
      code: "BACKEND_UNAVAILABLE",
      hint: "Install it for this machine: npm install sharp",
      cause,
    });
  }
}

/** Bytes of a file. */
export async function loadFile(path: string): Promise<Uint8Array> {
  const { readFile, stat } = await import("node:fs/promises");
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      fail("the picture file is too large", {
        where: path,
        expected: `at most ${MAX_FILE_BYTES} bytes`,
        got: `${size}`,
      });
    return await readFile(path);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR")
      fail("there is no such picture", { where: path, code: "NOT_FOUND", hint: "Check the path." });
    if (errno === "EISDIR") fail("this is a folder, not a picture", { where: path, hint: "Name one picture in it." });
    if (errno === "EACCES" || errno === "EPERM")
      fail("the picture may not be read", { where: path, hint: "Give this user the right to read it.", cause: error });
    throw error;
  }
}

/** Pixels with transparency, upright. `where` names the picture in errors. */
export async function decodePixels(bytes: Uint8Array, where: string): Promise<Raster> {
  const open = await sharp();
  try {
    const image = open(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS, autoOrient: true });
    const { width, height } = await open(bytes, { limitInputPixels: false }).metadata();
    checkPixels(width, height, where);
    const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    return withChannels({ width: info.width, height: info.height, data }, 4);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof FewstepError) throw error;
    return fail("the picture is damaged or cut short", {
      where,
      code: "BAD_FILE",
      got: error.message.split("\n")[0],
      hint: "Download or save it again.",
      cause: error,
    });
  }
}

export function checkPixels(width: number, height: number, where: string): void {
  if (width * height > MAX_PIXELS)
    fail("the picture is too large", {
      where,
      expected: `at most ${MAX_PIXELS / 1e6} megapixels`,
      got: `${width} x ${height} = ${(width * height) / 1e6} megapixels`,
      hint: "Make it smaller first.",
    });
}

/** RGB pixels as the bytes of a file. */
export async function encodePixels(
  { width, height, data }: Picture,
  format: Format,
  quality: number,
): Promise<Uint8Array> {
  const image = (await sharp())(data, { raw: { width, height, channels: 3 } });
  const file = { png: () => image.png(), jpeg: () => image.jpeg({ quality }), webp: () => image.webp({ quality }) };
  return new Uint8Array(await file[format]().toBuffer());
}
