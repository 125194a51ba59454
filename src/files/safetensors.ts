/**
 * Reads safetensors: a length, a JSON header, raw little-endian tensors. Everything the header claims is checked before
 * anything is allocated. Knows no model.
 */
import { fail, type NdArray, nd } from "../base/index.ts";
import { explain } from "./errno.ts";
import { fs } from "./fs.ts";
import { fromBfloat16, widen } from "./half.ts";
import { type Readable, readHeader, type StoredDType, type TensorInfo } from "./safetensors-header.ts";

/** An open file. Tensors are read when asked for, so a file larger than memory can be used. */
export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Errors: no such tensor. */
  info(name: string): TensorInfo;
  /**
   * A fresh copy. F16 stays float16 bits; types NdArray lacks widen: BF16 and F64 to float32, I16 to int32.
   * Errors: no such tensor, file closed or shortened meanwhile.
   */
  get(name: string): NdArray;
  /** As `get`, widened to float32. Errors also for integers. */
  float32(name: string): NdArray<"float32">;
  /** Rows `start` ... `end`-1 of a tensor's first axis, widened to float32; reads no others. */
  rows(name: string, start: number, end: number): NdArray<"float32">;
  close(): void;
}

export interface Source extends Readable {
  close(): void;
}

export function fromBytes(bytes: Uint8Array, where: string): Source {
  const read = (into: Uint8Array, at: number) => into.set(bytes.subarray(at, at + into.length));
  return { where, size: bytes.length, read, close() {} };
}

export function fromFile(path: string): Source {
  const onDisk = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      return explain(error, path, "read");
    }
  };
  let fd = onDisk(() => fs.openSync(path, "r"));
  const close = () => {
    if (fd >= 0) fs.closeSync(fd);
    fd = -1;
  };
  const stat = fs.fstatSync(fd);
  if (!stat.isFile()) {
    close();
    fail("this is not a regular file", { where: path, code: "BAD_FILE", hint: "Name a .safetensors file." });
  }
  const read = (into: Uint8Array, position: number) => {
    if (fd < 0) fail("the file was closed", { where: path, code: "BAD_INPUT" });
    for (let at = 0; at < into.length; ) {
      const n = onDisk(() => fs.readSync(fd, into, at, Math.min(into.length - at, 1 << 30), position + at));
      if (n === 0) fail("the file became shorter while it was read", { where: path, code: "BAD_FILE" });
      at += n;
    }
  };
  return { where: path, size: stat.size, read, close };
}

/**
 * Opens a safetensors file, or bytes already in memory (named `where` in errors).
 * Errors: BAD_FILE for anything but a well-formed file, NOT_FOUND.
 */
export function readSafetensors(file: string | Uint8Array, where = "safetensors bytes"): Safetensors {
  const source = typeof file === "string" ? fromFile(file) : fromBytes(file, where);
  try {
    return openSource(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

function openSource(source: Source): Safetensors {
  const { metadata, tensors } = readHeader(source);
  return accessTo(source, tensors, metadata);
}

/** Tensors that lie in one piece each. */
export function accessTo(
  source: Source,
  tensors: ReadonlyMap<string, TensorInfo>,
  metadata: Readonly<Record<string, string>>,
): Safetensors {
  const info = (name: string): TensorInfo =>
    tensors.get(name) ??
    fail(`there is no tensor "${name}"`, {
      where: source.where,
      code: "NOT_FOUND",
      expected: `one of ${tensors.size} names`,
      hint: nearNames(name, [...tensors.keys()]),
    });
  const get = (name: string): NdArray => {
    const { dtype, shape, offset, bytes } = info(name);
    const buffer = new ArrayBuffer(bytes);
    source.read(new Uint8Array(buffer), offset);
    return toArray(dtype, shape, buffer);
  };
  const rows = (name: string, start: number, end: number): NdArray<"float32"> => {
    const { dtype, shape, offset, bytes } = info(name);
    const [count = 1] = shape;
    if (!(start >= 0 && start <= end && end <= count))
      fail(`"${name}" has no such rows`, {
        where: source.where,
        expected: `rows within 0 to ${count}`,
        got: `${start} to ${end}`,
      });
    const row = count === 0 ? 0 : bytes / count;
    const buffer = new ArrayBuffer((end - start) * row);
    source.read(new Uint8Array(buffer), offset + start * row);
    return widen(toArray(dtype, [end - start, ...shape.slice(1)], buffer));
  };
  return {
    metadata,
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    info,
    get,
    float32: (name) => widen(get(name)),
    rows,
    close: source.close,
  };
}

function nearNames(name: string, names: string[]): string | undefined {
  const last = name.slice(name.lastIndexOf(".", name.lastIndexOf(".") - 1) + 1);
  const near = names.filter((n) => n.endsWith(last)).slice(0, 3);
  return near.length ? `Names that end alike: ${near.join(", ")}.` : undefined;
}

export function toArray(dtype: StoredDType, shape: readonly number[], buffer: ArrayBuffer): NdArray {
  switch (dtype) {
    case "F64":
      return nd("float32", shape, Float32Array.from(new Float64Array(buffer)));
    case "F32":
      return nd("float32", shape, new Float32Array(buffer));
    case "F16":
      return nd("float16", shape, new Uint16Array(buffer));
    case "BF16":
      return nd("float32", shape, fromBfloat16(new Uint16Array(buffer)));
    case "I64":
      return nd("int64", shape, new BigInt64Array(buffer));
    case "I32":
      return nd("int32", shape, new Int32Array(buffer));
    case "I16":
      return nd("int32", shape, Int32Array.from(new Int16Array(buffer)));
    case "I8":
      return nd("int8", shape, new Int8Array(buffer));
    case "U8":
      return nd("uint8", shape, new Uint8Array(buffer));
    case "BOOL":
      return nd("bool", shape, new Uint8Array(buffer));
  }
}
