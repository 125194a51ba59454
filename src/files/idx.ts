/** MNIST's idx files: unsigned bytes with their sizes in front, often gzipped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fail } from "../base/index.ts";
import { explain } from "./errno.ts";

/** More than any set of this kind has. */
const MAX_BYTES = 2 ** 30;

/** An array of bytes with its shape. Errors: BAD_FILE where magic number, sizes and length do not agree. */
export function parseIdx(bytes: Uint8Array, where: string): { shape: number[]; data: Uint8Array } {
  const bad = (what: string, expected?: string, got?: string): never =>
    fail(what, { where, code: "BAD_FILE", expected, got });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0 || bytes[2] !== 8) bad("this is no idx file of bytes");
  const axes = bytes[3];
  const start = 4 + 4 * axes;
  if (axes < 1 || axes > 4 || bytes.length < start) bad("the idx header is cut short");
  const shape = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((n, d) => n * d, 1);
  if (size !== bytes.length - start)
    bad("the file does not fill its sizes", `${size} bytes for [${shape}]`, `${bytes.length - start}`);
  return { shape, data: bytes.subarray(start) };
}

export interface IdxPictures {
  count: number;
  width: number;
  height: number;
  /** Grey bytes [count, height, width]. */
  images: Uint8Array;
  labels: Uint8Array;
}

/** `PART-images-idx3-ubyte` and `PART-labels-idx1-ubyte`, each with or without .gz. Errors: NOT_FOUND, BAD_FILE. */
export function readIdxFolder(folder: string, part: "train" | "t10k", classes = 10): IdxPictures {
  const read = (name: string, axes: number) => {
    const path = [join(folder, name), join(folder, `${name}.gz`)].find(existsSync);
    if (path === undefined)
      return fail("a file of the data set is missing", {
        where: folder,
        code: "NOT_FOUND",
        expected: `${name} or ${name}.gz`,
        hint: "Fashion-MNIST is Debian's package dataset-fashion-mnist.",
      });
    const parsed = parseIdx(inflate(path), path);
    if (parsed.shape.length !== axes)
      fail("the file has other axes", {
        where: path,
        code: "BAD_FILE",
        expected: `${axes}`,
        got: `${parsed.shape.length}`,
      });
    return { ...parsed, path };
  };
  const images = read(`${part}-images-idx3-ubyte`, 3);
  const labels = read(`${part}-labels-idx1-ubyte`, 1);
  const [count, height, width] = images.shape;
  if (labels.shape[0] !== count || count === 0)
    fail("there are not as many labels as pictures", {
      where: labels.path,
      code: "BAD_FILE",
      expected: `${count}, at least 1`,
      got: `${labels.shape[0]}`,
    });
  const foreign = labels.data.find((label) => label >= classes);
  if (foreign !== undefined)
    fail("a label is no class", {
      where: labels.path,
      code: "BAD_FILE",
      expected: `0 to ${classes - 1}`,
      got: `${foreign}`,
    });
  return { count, width, height, images: images.data, labels: labels.data };
}

function inflate(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return explain(error, path, "read");
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    return fail("the file cannot be unpacked", { where: path, code: "BAD_FILE", got: (cause as Error).message, cause });
  }
}
