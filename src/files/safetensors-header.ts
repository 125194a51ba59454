/** The header of a safetensors file: every claim in it is checked against the size of the file. */
import { fail } from "../base/index.ts";
import { duplicateKey } from "./json.ts";

export const DTYPE_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 };
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

/** Bytes at positions, wherever they live. */
export interface Readable {
  where: string;
  size: number;
  /** Fills `into` with the bytes from `position` on. */
  read(into: Uint8Array, position: number): void;
}

export interface Header {
  metadata: Record<string, string>;
  /** In the order of the data. */
  tensors: Map<string, TensorInfo>;
}

/** Reads and checks the header. Errors: BAD_FILE, saying what does not hold. */
export function readHeader(source: Readable): Header {
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
