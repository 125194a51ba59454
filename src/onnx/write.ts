/** Graph to .onnx bytes: ONNX IR 10, operator set 21. Field numbers are those of onnx.proto3. */
import { BYTES, fail, type NdArray, sizeOf } from "../base/index.ts";
import { opDef } from "../graph/apply.ts";
import { type Attribute, type Graph, type Node, ONNX_TYPE, showType, type Tensor } from "../graph/index.ts";
import { ProtoWriter } from "./protobuf-write.ts";

const IR_VERSION = 10;
const OPSET = 21;

/** Where the bytes of a large initializer lie outside the .onnx file. */
export interface ExternalData {
  location: string;
  offset: number;
  length: number;
}

export interface WriteOptions {
  /** Parameters frozen into the file, or placed in an external file. Parameters not named here become inputs. */
  weights?: (name: string) => NdArray | ExternalData | undefined;
}

/** What protobuf readers accept. */
const MAX_BYTES = 2 ** 31 - 1;

const TENSOR = { dims: 1, type: 2, name: 8, raw: 9, external: 13, location: 14 };

function writeTensor(w: ProtoWriter, name: string, tensor: Tensor, value: NdArray | ExternalData): void {
  for (const d of tensor.shape) w.int(TENSOR.dims, d as number);
  w.int(TENSOR.type, ONNX_TYPE[tensor.dtype]);
  w.string(TENSOR.name, name);
  if ("dtype" in value) {
    w.bytes(TENSOR.raw, new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
    return;
  }
  for (const key of ["location", "offset", "length"] as const)
    w.message(TENSOR.external, (entry) => {
      entry.string(1, key);
      entry.string(2, String(value[key]));
    });
  w.int(TENSOR.location, 1);
}

/** Refuses a value that is not what the graph was built for. */
function checkWeight(name: string, tensor: Tensor, value: NdArray | ExternalData): void {
  const bytes = sizeOf(tensor.shape as number[]) * BYTES[tensor.dtype];
  const got = "dtype" in value ? showType(value) : `${value.length} bytes of ${value.location}`;
  if ("dtype" in value ? got !== showType(tensor) : value.length !== bytes)
    fail("this value is not what the graph asks for", {
      where: name,
      expected: "dtype" in value ? showType(tensor) : `${bytes} bytes for ${showType(tensor)}`,
      got,
      code: "BAD_WEIGHTS",
    });
}

function writeValueInfo(w: ProtoWriter, name: string, tensor: Tensor): void {
  w.string(1, name);
  w.message(2, (type) =>
    type.message(1, (t) => {
      t.int(1, ONNX_TYPE[tensor.dtype]);
      t.message(2, (shape) => {
        for (const d of tensor.shape)
          shape.message(1, (dim) => (typeof d === "number" ? dim.int(1, d) : dim.string(2, d)));
      });
    }),
  );
}

function writeAttribute(w: ProtoWriter, name: string, value: Attribute): void {
  w.string(1, name);
  if ("int" in value) w.int(3, value.int);
  else if ("float" in value) w.float(2, value.float);
  else if ("string" in value) w.string(4, value.string);
  else for (const i of value.ints) w.int(8, i);
  w.int(20, "int" in value ? 2 : "float" in value ? 1 : "string" in value ? 3 : 7);
}

/** Name of a node in the file, and in errors and profiles of ONNX Runtime. */
export const nodeName = (node: Node): string => `${node.layer}/${node.outputs[0].name}`;

/**
 * Serialises what the outputs need. Inputs that no output reads are left out.
 * Errors: BAD_GRAPH without outputs or beyond 2 GiB; BAD_WEIGHTS when a weight is not what its parameter asks for.
 */
export function writeOnnx(graph: Graph, { weights }: WriteOptions = {}): Uint8Array {
  if (!graph.outputs.size) fail("a graph without outputs computes nothing", { code: "BAD_GRAPH" });
  const nodes = graph.reachable();
  const used = new Set<Tensor>(graph.outputs.values());
  for (const node of nodes) for (const t of node.inputs) if (t) used.add(t);
  // Outputs keep the names their owner gave them; a tensor that is an input too goes through Identity.
  const names = new Map<Tensor, string>();
  const aliases: [from: string, to: string][] = [];
  for (const [name, tensor] of graph.outputs) {
    if (tensor.node && !names.has(tensor)) names.set(tensor, name);
    else aliases.push([names.get(tensor) ?? tensor.name, name]);
  }
  const nameOf = (t: Tensor | undefined) => (t ? (names.get(t) ?? t.name) : "");

  const w = new ProtoWriter();
  w.int(1, IR_VERSION);
  w.string(2, "fewstep");
  w.message(7, (g) => {
    for (const node of nodes)
      g.message(1, (n) => {
        for (const t of node.inputs) n.string(1, nameOf(t));
        const { domain, optionalOutputs = node.outputs.length } = opDef(node.op);
        const last = node.outputs.findLastIndex((t, i) => i < optionalOutputs || used.has(t));
        for (const t of node.outputs.slice(0, last + 1)) n.string(2, nameOf(t));
        n.string(3, nodeName(node));
        n.string(4, node.op);
        for (const [name, value] of Object.entries(node.attributes))
          n.message(5, (a) => writeAttribute(a, name, value));
        if (domain) n.string(7, domain);
      });
    for (const [from, to] of aliases)
      g.message(1, (n) => {
        n.string(1, from);
        n.string(2, to);
        n.string(4, "Identity");
      });
    g.string(2, "fewstep");
    for (const [tensor, value] of graph.constants)
      if (used.has(tensor)) g.message(5, (t) => writeTensor(t, tensor.name, tensor, value));
    for (const tensor of graph.inputs.values())
      if (used.has(tensor)) g.message(11, (v) => writeValueInfo(v, tensor.name, tensor));
    for (const [name, { tensor }] of graph.params) {
      if (!used.has(tensor)) continue;
      const value = weights?.(name);
      if (value) checkWeight(name, tensor, value);
      if (value) g.message(5, (t) => writeTensor(t, name, tensor, value));
      else g.message(11, (v) => writeValueInfo(v, name, tensor));
    }
    for (const [name, tensor] of graph.outputs) g.message(12, (v) => writeValueInfo(v, name, tensor));
  });
  for (const [domain, version] of [
    ["", OPSET],
    ["com.microsoft", 1],
  ] as const)
    w.message(8, (opset) => {
      opset.string(1, domain);
      opset.int(2, version);
    });
  if (w.length > MAX_BYTES)
    fail("the graph is too large for one .onnx file", {
      expected: "at most 2 GiB",
      got: `${(w.length / 2 ** 30).toFixed(1)} GiB`,
      hint: "Place the weights in an external file.",
      code: "BAD_GRAPH",
    });
  return w.finish();
}
