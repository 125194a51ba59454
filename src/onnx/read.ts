/**
 * .onnx bytes to a plain description of the model. Files may come from anywhere: every claim is checked, nothing is
 * allocated beyond the size of the bytes. Field numbers are those of onnx.proto3.
 */
import { BYTES, type DType, fail } from "../base/index.ts";
import { type Dim, ONNX_TYPE } from "../graph/index.ts";
import { type Bad, type Field, readFields, readInts, readText } from "./protobuf-read.ts";
import type { ExternalData } from "./write.ts";

/** An input or output. The dtype is ours, or `onnx:N`; no shape: the file does not say. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape?: readonly Dim[];
}

export interface Initializer {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Size inside this file; 0 when the values are elsewhere. */
  readonly bytes: number;
  /** Values as they lie in the file (a view), when stored as raw bytes. */
  readonly raw?: Uint8Array;
  readonly external?: ExternalData;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: Initializer }
  | { readonly graph: OnnxGraph }
  | { readonly kind: number };

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  /** Absent optional inputs are "". */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly OnnxNode[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  /** Operator set version by domain; "" is standard ONNX. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly graph: OnnxGraph;
}

const DTYPES = new Map(Object.entries(ONNX_TYPE).map(([dtype, number]) => [number, dtype as DType]));
/** Loops and branches hold graphs; none that a person wrote is nested this deep. */
const MAX_DEPTH = 32;

/**
 * Describes a model (named `where` in errors).
 * Errors: BAD_FILE for anything but a well-formed model whose nodes read only what exists before them.
 */
export function readOnnx(bytes: Uint8Array, where = "ONNX bytes"): OnnxModel {
  const bad: Bad = (what) =>
    fail("not a well-formed ONNX model", { where, got: what, code: "BAD_FILE", hint: "Export or download it again." });
  const model = { irVersion: 0, producer: "" };
  const opsets = new Map<string, number>();
  let graph: Uint8Array | undefined;
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) model.irVersion = field.int;
    if (field.number === 2) model.producer = readText(field, bad);
    if (field.number === 7) graph = field.bytes;
    if (field.number === 8) {
      const [domain, version] = readOpset(message(field, bad), bad);
      opsets.set(domain, version);
    }
  }
  if (!graph || !opsets.size) return bad(graph ? "a model without operator set" : "a model without graph");
  return { ...model, opsets: Object.fromEntries(opsets), graph: readGraph(graph, () => false, 0, bad) };
}

const message = (field: Field, bad: Bad): Uint8Array => field.bytes ?? bad(`field ${field.number} is not a message`);

function readOpset(bytes: Uint8Array, bad: Bad): [domain: string, version: number] {
  let [domain, version] = ["", 0];
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) domain = readText(field, bad);
    if (field.number === 2) version = field.int;
  }
  return [domain, version];
}

/** Whether a value of this name exists. */
type Known = (name: string) => boolean;

/** `outer` knows the values around a graph that is inside a node, which it may read. */
function readGraph(bytes: Uint8Array, outer: Known, depth: number, bad: Bad): OnnxGraph {
  if (depth > MAX_DEPTH) bad(`graphs nested deeper than ${MAX_DEPTH}`);
  let name = "";
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const initializers: Initializer[] = [];
  const nodeBytes: Uint8Array[] = [];
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) nodeBytes.push(message(field, bad));
    if (field.number === 2) name = readText(field, bad);
    if (field.number === 5) initializers.push(readTensor(message(field, bad), bad));
    if (field.number === 11) inputs.push(readValueInfo(message(field, bad), bad));
    if (field.number === 12) outputs.push(readValueInfo(message(field, bad), bad));
  }
  const made = new Set<string>();
  const known = (value: string) => made.has(value) || outer(value);
  const define = (value: string) => {
    if (made.has(value)) bad(`"${value}" is made twice`);
    made.add(value);
  };
  for (const input of inputs) define(input.name);
  // An initializer may give an input its default.
  const given = new Set(made);
  for (const tensor of initializers) if (!given.has(tensor.name)) define(tensor.name);
  const nodes = nodeBytes.map((bytes) => {
    const node = readNode(bytes, known, depth, bad);
    for (const input of node.inputs)
      if (input && !known(input)) bad(`${node.op} "${node.name}" reads "${input}", which nothing before it makes`);
    for (const output of node.outputs) if (output) define(output);
    return node;
  });
  for (const output of outputs) if (!known(output.name)) bad(`nothing makes the output "${output.name}"`);
  return { name, inputs, outputs, initializers, nodes };
}

function readNode(bytes: Uint8Array, known: Known, depth: number, bad: Bad): OnnxNode {
  const node = { name: "", op: "", domain: "", inputs: [] as string[], outputs: [] as string[] };
  const attributes = new Map<string, OnnxAttribute>();
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) node.inputs.push(readText(field, bad));
    if (field.number === 2) node.outputs.push(readText(field, bad));
    if (field.number === 3) node.name = readText(field, bad);
    if (field.number === 4) node.op = readText(field, bad);
    if (field.number === 5) attributes.set(...readAttribute(message(field, bad), known, depth, bad));
    if (field.number === 7) node.domain = readText(field, bad);
  }
  if (!node.op) bad(`the node "${node.name}" has no operator`);
  return { ...node, attributes: Object.fromEntries(attributes) };
}

function readAttribute(bytes: Uint8Array, known: Known, depth: number, bad: Bad): [name: string, value: OnnxAttribute] {
  let [name, kind, float, int, string] = ["", 0, 0, 0, ""];
  let value: OnnxAttribute | undefined;
  const floats: number[] = [];
  const ints: number[] = [];
  const strings: string[] = [];
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) name = readText(field, bad);
    if (field.number === 2) float = field.float ?? bad(`"${name}" is not a float`);
    if (field.number === 3) int = field.int;
    if (field.number === 4) string = readText(field, bad);
    if (field.number === 5) value = { tensor: readTensor(message(field, bad), bad) };
    if (field.number === 6) value = { graph: readGraph(message(field, bad), known, depth + 1, bad) };
    if (field.number === 7) for (const f of readFloats(field, bad)) floats.push(f);
    if (field.number === 8) for (const i of readInts(field, bad)) ints.push(i);
    if (field.number === 9) strings.push(readText(field, bad));
    if (field.number === 20) kind = field.int;
  }
  const byKind: Record<number, OnnxAttribute> = {
    1: { float },
    2: { int },
    3: { string },
    6: { floats },
    7: { ints },
    8: { strings },
  };
  return [name, byKind[kind] ?? value ?? { kind }];
}

function readFloats(field: Field, bad: Bad): number[] {
  const { bytes, float } = field;
  if (!bytes) return [float ?? bad("a list of floats holds something else")];
  if (bytes.length % 4) bad("a list of floats is cut short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function readTensor(bytes: Uint8Array, bad: Bad): Initializer {
  let [name, type, inFile] = ["", 0, 0];
  const shape: number[] = [];
  let raw: Uint8Array | undefined;
  const external = new Map<string, string>();
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) for (const d of readInts(field, bad)) shape.push(d);
    if (field.number === 2) type = field.int;
    if (field.number === 8) name = readText(field, bad);
    if (field.number === 9) raw = message(field, bad);
    if (field.number === 13) external.set(...readEntry(message(field, bad), bad));
    // Values by type: floats, ints, strings, longs, doubles, unsigned longs.
    if ([4, 5, 6, 7, 10, 11].includes(field.number)) inFile += field.bytes?.length ?? 1;
  }
  const dtype = DTYPES.get(type);
  const size = shape.reduce((n, d) => (d >= 0 && Number.isSafeInteger(n * d) ? n * d : Number.NaN), 1);
  if (Number.isNaN(size)) bad(`"${name}" has the shape [${shape.slice(0, 16)}]`);
  if (raw && dtype && raw.length !== size * BYTES[dtype])
    bad(`"${name}" has ${raw.length} bytes for ${dtype}[${shape.slice(0, 16)}]`);
  const place = external.size ? readPlace(name, external, bad) : undefined;
  return {
    name,
    dtype: dtype ?? `onnx:${type}`,
    shape,
    bytes: raw?.length ?? inFile,
    ...(raw && { raw }),
    ...(place && { external: place }),
  };
}

function readEntry(bytes: Uint8Array, bad: Bad): [key: string, value: string] {
  let [key, value] = ["", ""];
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) key = readText(field, bad);
    if (field.number === 2) value = readText(field, bad);
  }
  return [key, value];
}

function readPlace(name: string, external: ReadonlyMap<string, string>, bad: Bad): ExternalData {
  const number = (key: string) => {
    const text = external.get(key) ?? "0";
    return /^\d{1,15}$/.test(text)
      ? Number(text)
      : bad(`"${name}" has the ${key} ${JSON.stringify(text.slice(0, 40))}`);
  };
  const location = external.get("location") || bad(`"${name}" does not say in which file it lies`);
  return { location, offset: number("offset"), length: number("length") };
}

function readValueInfo(bytes: Uint8Array, bad: Bad): ValueInfo {
  let name = "";
  let type: { dtype: string; shape?: Dim[] } = { dtype: "unknown" };
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) name = readText(field, bad);
    if (field.number === 2)
      for (const kind of readFields(message(field, bad), bad))
        type = kind.number === 1 ? readTensorType(message(kind, bad), bad) : { dtype: "not a tensor" };
  }
  return { name, ...type };
}

function readTensorType(bytes: Uint8Array, bad: Bad): { dtype: string; shape?: Dim[] } {
  let dtype = "unknown";
  let shape: Dim[] | undefined;
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) dtype = DTYPES.get(field.int) ?? `onnx:${field.int}`;
    if (field.number === 2) {
      shape = [];
      for (const dim of readFields(message(field, bad), bad))
        if (dim.number === 1) shape.push(readDim(message(dim, bad), bad));
    }
  }
  return { dtype, ...(shape && { shape }) };
}

function readDim(bytes: Uint8Array, bad: Bad): Dim {
  let dim: Dim = "?";
  for (const field of readFields(bytes, bad)) {
    if (field.number === 1) dim = field.int >= 0 ? field.int : bad(`a size of ${field.int}`);
    if (field.number === 2) dim = readText(field, bad);
  }
  return dim;
}
