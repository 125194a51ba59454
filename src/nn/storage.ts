/** Matrices to the bits that `stored.ts` multiplies. */
import { f32, type NdArray, nd } from "../base/index.ts";
import { blockOf, type Storage } from "./stored.ts";

/** What is stored for a matrix: values in the layout of its product, and scales where it has some. */
export interface StoredArrays {
  weight: NdArray;
  scales?: NdArray<"float32">;
}

/**
 * Stores rows of a matrix [out, width] (row major, float32). Rows may be given in pieces for every storage but `int8`,
 * whose columns are the rows of the matrix. `toHalf` makes float16 bits.
 */
export function storedArrays(
  data: Float32Array,
  width: number,
  storage: Storage,
  toHalf: (values: Float32Array) => Uint16Array,
): StoredArrays {
  const out = data.length / width;
  switch (storage) {
    case "fp32":
      return { weight: f32([out, width], data) };
    case "fp16":
      return { weight: nd("float16", [out, width], toHalf(data)) };
    case "int8":
      return byColumn(data, out, width);
    case "n8":
      return inBlocks(data, out, width, 8);
    case "n4":
      return inBlocks(data, out, width, 4);
  }
}

/** Largest magnitude of a part. */
function largest(data: Float32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start; i < end; i++) {
    const x = Math.abs(data[i]);
    if (x > most) most = x;
  }
  return most;
}

/** int8 [width, out], symmetric, one scale for each output. */
function byColumn(data: Float32Array, out: number, width: number): StoredArrays {
  const values = new Int8Array(data.length);
  const scales = new Float32Array(out);
  // Tiles, because one side of a transposition always strides.
  const TILE = 64;
  for (let o = 0; o < out; o++) scales[o] = largest(data, o * width, (o + 1) * width) / 127 || 1;
  for (let from = 0; from < out; from += TILE)
    for (let left = 0; left < width; left += TILE)
      for (let o = from; o < Math.min(from + TILE, out); o++) {
        const inverse = 1 / scales[o];
        for (let i = left; i < Math.min(left + TILE, width); i++)
          values[i * out + o] = Math.round(data[o * width + i] * inverse);
      }
  return { weight: nd("int8", [width, out], values), scales: f32([out], scales) };
}

/**
 * Unsigned values around the middle of their range. The scale takes the sign that maps a block's largest value to the
 * end that reaches one step further.
 */
function inBlocks(data: Float32Array, out: number, width: number, bits: 4 | 8): StoredArrays {
  const block = blockOf(width);
  const blocks = data.length / block;
  const zero = 2 ** (bits - 1);
  const scales = new Float32Array(blocks);
  const values = new Uint8Array((data.length * bits) / 8);
  const level = (x: number, inverse: number) => Math.min(2 * zero - 1, Math.max(0, Math.round(x * inverse) + zero));
  for (let b = 0; b < blocks; b++) {
    let extreme = 0;
    for (let i = b * block; i < (b + 1) * block; i++) if (Math.abs(data[i]) > Math.abs(extreme)) extreme = data[i];
    scales[b] = extreme / -zero || 1;
    const inverse = 1 / scales[b];
    if (bits === 8) for (let i = b * block; i < (b + 1) * block; i++) values[i] = level(data[i], inverse);
    else
      for (let i = b * block; i < (b + 1) * block; i += 2)
        values[i >> 1] = level(data[i], inverse) | (level(data[i + 1], inverse) << 4);
  }
  return {
    weight: nd("uint8", [out, width / block, (block * bits) / 8], values),
    scales: f32([blocks], scales),
  };
}
