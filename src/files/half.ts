/** 16-bit floating point numbers, which JavaScript has no type for: raw bits in a Uint16Array. */
import { f32, fail, type NdArray, nd } from "../base/index.ts";

const scratch = new Uint32Array(1);
const scratchFloat = new Float32Array(scratch.buffer);

function halfToFloat(h: number): number {
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  const sign = h & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

let table: Float32Array | undefined;

/** Exact float32 values of float16 bits. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, h) => halfToFloat(h));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]];
  return out;
}

/** Exact float32 values of bfloat16 bits. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = bits[i] << 16;
  return new Float32Array(out.buffer);
}

function floatToHalf(x: number): number {
  scratchFloat[0] = x;
  const bits = scratch[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // at or above 65520: infinity
  if (magnitude < 0x38800000) {
    // Below 2^-14 halves are multiples of 2^-24; adding 2^-1 makes float32 itself round to those, ties to even.
    scratchFloat[0] = Math.abs(x) + 0.5;
    return sign | (scratch[0] - 0x3f000000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Float16 bits of float32 values, rounded to nearest, ties to even; 65520 and more become infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = floatToHalf(values[i]);
  return out;
}

/** The same array as float32; float32 itself comes back as is. */
export function widen(array: NdArray): NdArray<"float32"> {
  if (array.dtype === "float32") return array as NdArray<"float32">;
  if (array.dtype === "float16") return f32(array.shape, fromFloat16(array.data as Uint16Array));
  return fail("only floating point arrays widen to float32", { got: array.dtype });
}

/** The same array as float16. */
export const narrow = (array: NdArray<"float32">): NdArray<"float16"> =>
  nd("float16", array.shape, toFloat16(array.data));
