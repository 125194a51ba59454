/**
 * State dicts as PyTorch saves them (.pth, .pt, .bin): a zip archive with one pickle of names and one stored entry for
 * each storage. Tensors are read when asked for, so files larger than memory can be used.
 */
import { f32, fail, type NdArray } from "../base/index.ts";
import { widen } from "./half.ts";
import { parsePickle, STORAGES, type TensorRecord, type Value } from "./pickle.ts";
import { accessTo, fromBytes, fromFile, type Safetensors, type Source, toArray } from "./safetensors.ts";
import { DTYPE_BYTES, type TensorInfo } from "./safetensors-header.ts";
import { readZip, type ZipEntry } from "./zip.ts";

/** Published pickles are below 100 kB. */
const MAX_PICKLE = 64 * 2 ** 20;

interface Placed extends TensorInfo {
  /** Steps between elements; absent where they lie one after the other. */
  strides?: readonly number[];
}
type Strided = Required<Placed>;

/**
 * Opens a file, or bytes already in memory. Errors: BAD_FILE for anything but an uncompressed archive of plain tensors,
 * naming the code that a hostile one asks for; NOT_FOUND.
 */
export function readPth(file: string | Uint8Array, where = ".pth bytes"): Safetensors {
  const source = typeof file === "string" ? fromFile(file) : fromBytes(file, where);
  try {
    return openPth(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Whether a file begins like a zip archive. */
export function isZip(path: string): boolean {
  const source = fromFile(path);
  try {
    const magic = new Uint8Array(4);
    if (source.size >= 4) source.read(magic, 0);
    return magic[0] === 0x50 && magic[1] === 0x4b && magic[2] === 3 && magic[3] === 4;
  } finally {
    source.close();
  }
}

function openPth(source: Source): Safetensors {
  const bad = (what: string, failure: { expected?: string; got?: string; hint?: string } = {}): never =>
    fail(what, { where: source.where, code: "BAD_FILE", ...failure });
  const entries = readZip(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (pickles.length !== 1) bad("the archive is no state dict", { expected: "one NAME/data.pkl" });
  const prefix = pickles[0].slice(0, -"data.pkl".length);
  const read = (entry: ZipEntry): Uint8Array => {
    const bytes = new Uint8Array(entry.size);
    source.read(bytes, entry.offset);
    return bytes;
  };
  const order = entries.get(`${prefix}byteorder`);
  if (order && (order.size > 16 || new TextDecoder().decode(read(order)) !== "little"))
    bad("the numbers of this file are stored in another order of bytes", { expected: "little" });
  const pickle = entries.get(pickles[0])!;
  if (pickle.size > MAX_PICKLE) bad("the list of names is too large", { got: `${pickle.size} bytes` });

  const tensors = new Map<string, Placed>();
  for (const [name, value] of stateOf(parsePickle(read(pickle), source.where), bad)) {
    if (name === "__proto__") bad(`"${name}" is no name for a tensor`);
    tensors.set(
      name,
      place(name, value, (key) => entries.get(`${prefix}data/${key}`), bad),
    );
  }
  const dense = accessTo(source, tensors, {});
  const strided = (name: string): Strided | undefined => {
    const placed = dense.info(name) as Placed;
    return placed.strides ? (placed as Strided) : undefined;
  };
  const get = (name: string): NdArray => {
    const placed = strided(name);
    return placed ? gather(source, placed) : dense.get(name);
  };
  return {
    ...dense,
    get,
    float32: (name) => widen(get(name)),
    rows(name, start, end) {
      if (!strided(name)) return dense.rows(name, start, end);
      const { shape, data } = widen(get(name));
      const width = data.length / shape[0];
      return f32([end - start, ...shape.slice(1)], data.slice(start * width, end * width));
    },
  };
}

type Bad = (what: string, failure?: { expected?: string; got?: string; hint?: string }) => never;

/** The tensors of the top level: the file is a state dict and nothing around it. */
function stateOf(value: Value, bad: Bad): [string, TensorRecord][] {
  const expected = "names of tensors, without anything around them";
  if (!(value instanceof Map)) return bad("the file is no state dict", { expected });
  return [...value].map(([name, tensor]) => {
    const isTensor = typeof tensor === "object" && tensor !== null && "kind" in tensor && tensor.kind === "tensor";
    if (!isTensor) return bad(`"${name.slice(0, 100)}" is no tensor`, { expected });
    return [name, tensor as TensorRecord];
  });
}

/** Where a tensor lies in the file; all of it must lie inside its storage. */
function place(name: string, tensor: TensorRecord, entryOf: (key: string) => ZipEntry | undefined, bad: Bad): Placed {
  const { storage, offset, shape, strides } = tensor;
  const dtype = STORAGES[storage.type];
  const width = DTYPE_BYTES[dtype];
  const entry =
    entryOf(storage.key) ?? bad(`the data of tensor "${name}" are missing`, { got: `storage ${storage.key}` });
  if (entry.size !== storage.elements * width)
    bad(`the data of tensor "${name}" are cut short or too long`, {
      expected: `${storage.elements * width} bytes`,
      got: `${entry.size}`,
    });
  if (shape.length !== strides.length || shape.length > 16) bad(`tensor "${name}" has sizes without steps`);
  const count = shape.reduce((n, d) => (Number.isSafeInteger(n * d) ? n * d : Number.NaN), 1);
  const last = shape.reduce((at, d, i) => at + (d - 1) * strides[i], offset);
  // As many elements as the storage has at most: no small file asks for much memory.
  if (!(count <= storage.elements && (count === 0 || last < storage.elements)))
    bad(`tensor "${name}" is larger than its data`, {
      expected: `at most ${storage.elements} elements`,
      got: `[${shape}] with steps [${strides}] from ${offset}`,
    });
  let step = 1;
  let dense = true;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) dense = false;
    step *= shape[i];
  }
  const at = { dtype, shape, offset: entry.offset + offset * width, bytes: count * width };
  return dense || count === 0 ? at : { ...at, strides };
}

/** Reads the stretch that a strided tensor lies in and picks its elements. */
function gather(source: Source, { dtype, shape, strides, offset, bytes }: Strided): NdArray {
  const width = DTYPE_BYTES[dtype];
  const reach = shape.reduce((at, d, i) => at + (d - 1) * strides[i], 0) + 1;
  const stretch = new Uint8Array(reach * width);
  source.read(stretch, offset);
  const out = new Uint8Array(bytes);
  const index = shape.map(() => 0);
  for (let to = 0; to < bytes; to += width) {
    const at = index.reduce((sum, n, axis) => sum + n * strides[axis], 0) * width;
    out.set(stretch.subarray(at, at + width), to);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return toArray(dtype, shape, out.buffer);
}
