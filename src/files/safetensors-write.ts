/** Writes safetensors files tensor by tensor, so that a state dict larger than half the memory can be saved. */
import { BYTES, type DType, fail, internal, type NdArray, sizeOf } from "../base/index.ts";
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

/** A tensor that is to be written. */
export interface TensorEntry {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

/**
 * The bytes of a safetensors file whose tensors are made one after the other, in pieces if they are large: no more than
 * a piece is in memory. Errors: a piece of another dtype, pieces that do not fill their tensor.
 */
export function* encodeTensors(
  entries: readonly TensorEntry[],
  make: (name: string) => Iterable<NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  yield encodeHeader(entries, metadata);
  for (const { name, dtype, shape } of entries) {
    let count = 0;
    for (const { dtype: given, data } of make(name)) {
      if (given !== dtype) internal(`${name} is ${dtype}, its piece ${given}`);
      count += data.length;
      yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
    if (count !== sizeOf(shape)) internal(`${name} [${shape}] was given ${count} numbers`);
  }
}

function encodeHeader(entries: readonly TensorEntry[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const header: [string, unknown][] = Object.keys(metadata).length ? [["__metadata__", metadata]] : [];
  let offset = 0;
  for (const { name, dtype, shape } of entries) {
    if (name === "__metadata__" || name === "__proto__") fail(`"${name}" is no name for a tensor`);
    const end = offset + sizeOf(shape) * BYTES[dtype];
    header.push([name, { dtype: STORED[dtype], shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + length, " ");
  head.writeBigUInt64LE(BigInt(length));
  json.copy(head, 8);
  return head;
}

/**
 * The bytes of a safetensors file, in pieces: tensors in the given order, header padded to 8 bytes; the same input
 * gives the same bytes. Errors: a finite value that float16 cannot hold.
 */
export function* encodeSafetensors(
  tensors: Readonly<Record<string, NdArray>>,
  metadata: Readonly<Record<string, string>> = {},
  { dtype }: WriteOptions = {},
): Generator<Uint8Array> {
  const stored = Object.entries(tensors).map(([name, { dtype: given, shape }]) => {
    return { name, shape, dtype: given === "float32" && dtype ? dtype : given };
  });
  yield encodeHeader(stored, metadata);

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
