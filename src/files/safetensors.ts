/**
 * Reads and writes safetensors: a length, a JSON header, raw little-endian tensors. Everything the header claims is
 * checked against the file before anything is allocated. Knows no model.
 */
import fs from "node:fs";
import { fail, type NdArray, nd } from "../base/index.ts";
import { explain } from "./errno.ts";
import { fromBfloat16, widen } from "./half.ts";
import { duplicateKey } from "./json.ts";

const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 };
export type StoredDType = keyof typeof DTYPE_BYTES;

/** The limit of the format's own reader; the largest published headers are below 1 MB. */
const MAX_HEADER = 100_000_000;

export interface TensorInfo {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly bytes: number;
}

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
  close(): void;
}

/** Bytes at positions, wherever they live. */
interface Source {
  where: string;
  size: number;
  read(into: Uint8Array, position: number): void;
  close(): void;
}

function fromBytes(bytes: Uint8Array, where: string): Source {
  const read = (into: Uint8Array, at: number) => into.set(bytes.subarray(at, at + into.length));
  return { where, size: bytes.length, read, close() {} };
}

function fromFile(path: string): Source {
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
  return {
    metadata,
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    info,
    get,
    float32: (name) => widen(get(name)),
    close: source.close,
  };
}

function nearNames(name: string, names: string[]): string | undefined {
  const last = name.slice(name.lastIndexOf(".", name.lastIndexOf(".") - 1) + 1);
  const near = names.filter((n) => n.endsWith(last)).slice(0, 3);
  return near.length ? `Names that end alike: ${near.join(", ")}.` : undefined;
}

function toArray(dtype: StoredDType, shape: readonly number[], buffer: ArrayBuffer): NdArray {
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

interface Header {
  metadata: Record<string, string>;
  tensors: Map<string, TensorInfo>;
}

function readHeader(source: Source): Header {
  const bad = (what: string, failure: { expected?: string; got?: string } = {}): never =>
    fail(what, { where: source.where, code: "BAD_FILE", hint: "Download or write the file again.", ...failure });

  if (source.size < 10) bad("too short for a safetensors file", { got: `${source.size} bytes` });
  const prefix = new Uint8Array(8);
  source.read(prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  const limit = Math.min(source.size - 8, MAX_HEADER);
  if (length < 2n || length > BigInt(limit))
    bad("not a safetensors file, or cut short", { expected: `a header of 2 to ${limit} bytes`, got: `${length}` });
  const bytes = new Uint8Array(Number(length));
  source.read(bytes, 8);

  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
    const twice = duplicateKey(text);
    if (twice !== undefined) bad(`the header names "${twice}" twice`);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      bad("the header is not JSON", { got: error.message.slice(0, 200) });
    throw error;
  }
  if (!isRecord(header)) return bad("the header is not a JSON object");

  const start = 8 + bytes.length;
  const metadata: Record<string, string> = {};
  const entries: [string, TensorInfo][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__proto__") bad(`"${name}" is no name for a tensor`);
    if (name !== "__metadata__") entries.push([name, tensorInfo(name, value, start, bad)]);
    else if (!isRecord(value)) bad("__metadata__ is not an object");
    else
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string" || key === "__proto__") bad(`metadata "${key}" is not a string`);
        else metadata[key] = text;
      }
  }

  entries.sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  let end = start;
  for (const [name, { offset, bytes }] of entries) {
    if (offset !== end)
      bad(`tensor "${name}" ${offset < end ? "overlaps the one before it" : "leaves a gap before it"}`, {
        expected: `an offset of ${end - start}`,
        got: `${offset - start}`,
      });
    end = offset + bytes;
  }
  if (end !== source.size)
    bad(end > source.size ? "cut short" : "bytes that belong to no tensor at the end", {
      expected: `${end} bytes`,
      got: `${source.size}`,
    });
  return { metadata, tensors: new Map(entries) };
}

type Bad = (what: string, failure?: { expected?: string; got?: string }) => never;

function tensorInfo(name: string, value: unknown, start: number, bad: Bad): TensorInfo {
  const { dtype, shape, data_offsets: range } = isRecord(value) ? value : {};
  if (!isStoredDType(dtype))
    return bad(`tensor "${name}" has an unknown dtype`, {
      expected: Object.keys(DTYPE_BYTES).join(", "),
      got: `${JSON.stringify(dtype)}`.slice(0, 80),
    });
  if (!isSizes(shape)) return bad(`tensor "${name}" has no shape of whole numbers`);
  if (!isSizes(range) || range.length !== 2 || range[0] > range[1])
    return bad(`tensor "${name}" has no data_offsets [begin, end]`);
  const bytes = shape.reduce((n, d) => (Number.isSafeInteger(n * d) ? n * d : Number.NaN), DTYPE_BYTES[dtype]);
  if (bytes !== range[1] - range[0])
    bad(`tensor "${name}" does not fit its offsets`, {
      expected: `${bytes} bytes for ${dtype} [${shape.slice(0, 16)}]`,
      got: `${range[1] - range[0]}`,
    });
  return { dtype, shape, offset: start + range[0], bytes };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isStoredDType = (value: unknown): value is StoredDType =>
  typeof value === "string" && Object.hasOwn(DTYPE_BYTES, value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
