/** Writes safetensors files tensor by tensor, so that a state dict larger than half the memory can be saved. */
import { BYTES, type DType, fail, type NdArray } from "../base/index.ts";
import { writeAtomic } from "./atomic.ts";
import { toFloat16 } from "./half.ts";
import type { StoredDType } from "./safetensors-header.ts";

const STORED: Record<DType, StoredDType> = {
  float32: "F32",
  float16: "F16",
  int32: "I32",
  int64: "I64",
  uint8: "U8",
  int8: "I8",
  bool: "BOOL",
};

export interface WriteOptions {
  /** Stores float32 tensors as float16. */
  dtype?: "float16";
  signal?: AbortSignal;
}

const CHUNK = 1 << 20;

/**
 * The bytes of a safetensors file, in pieces: tensors in the given order, header padded to 8 bytes; the same input
 * gives the same bytes. Errors: a finite value that float16 cannot hold.
 */
export function* encodeSafetensors(
  tensors: Readonly<Record<string, NdArray>>,
  metadata: Readonly<Record<string, string>> = {},
  { dtype }: WriteOptions = {},
): Generator<Uint8Array> {
  const header: [string, unknown][] = Object.keys(metadata).length ? [["__metadata__", metadata]] : [];
  let offset = 0;
  for (const [name, array] of Object.entries(tensors)) {
    if (name === "__metadata__" || name === "__proto__") fail(`"${name}" is no name for a tensor`);
    const stored = array.dtype === "float32" && dtype ? dtype : array.dtype;
    const end = offset + array.data.length * BYTES[stored];
    header.push([name, { dtype: STORED[stored], shape: array.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + length, " ");
  head.writeBigUInt64LE(BigInt(length));
  json.copy(head, 8);
  yield head;

  for (const [name, { data }] of Object.entries(tensors))
    for (let at = 0; at < data.length; at += CHUNK) {
      const part = data.subarray(at, at + CHUNK);
      const stored = part instanceof Float32Array && dtype ? halves(part, name) : part;
      yield new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    }
}

function halves(values: Float32Array, name: string): Uint16Array {
  const bits = toFloat16(values);
  const lost = values.findIndex((x, i) => (bits[i] & 0x7fff) === 0x7c00 && Number.isFinite(x));
  if (lost >= 0)
    fail(`tensor "${name}" does not fit float16`, {
      expected: "values below 65520",
      got: `${values[lost]}`,
      hint: "Store it as float32.",
      code: "BAD_WEIGHTS",
    });
  return bits;
}

/**
 * Writes a safetensors file atomically. Errors: a value that float16 cannot hold, folder missing or not writable,
 * disk full (nothing is left behind).
 */
export const writeSafetensors = (
  path: string,
  tensors: Readonly<Record<string, NdArray>>,
  metadata: Readonly<Record<string, string>> = {},
  options: WriteOptions = {},
): Promise<void> => writeAtomic(path, encodeSafetensors(tensors, metadata, options), { signal: options.signal });
