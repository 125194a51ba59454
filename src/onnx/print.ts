/** A readable listing of a model read from a file. */
import { showShape } from "../graph/index.ts";
import type { Initializer, OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode } from "./read.ts";

const type = ({ dtype, shape }: { dtype: string; shape?: readonly (number | string)[] }) =>
  `${dtype}${shape ? showShape(shape) : "[?]"}`;

/** Lists longer than this are cut: files may hold tables as attributes. */
const SHOWN = 8;
const list = (items: readonly unknown[]) =>
  `[${items.slice(0, SHOWN).join(", ")}${items.length > SHOWN ? `, ... ${items.length} in all` : ""}]`;

function showAttribute(value: OnnxAttribute): string {
  if ("tensor" in value) return type(value.tensor);
  if ("graph" in value) return `graph of ${value.graph.nodes.length} nodes`;
  if ("string" in value) return JSON.stringify(value.string);
  const [plain] = Object.values(value);
  return Array.isArray(plain) ? list(plain) : String(plain);
}

function showNode({ name, op, domain, inputs, outputs, attributes }: OnnxNode): string {
  const extras = Object.entries(attributes).map(([key, value]) => `${key}=${showAttribute(value)}`);
  const call = `${domain && `${domain}.`}${op}(${[...inputs.map((i) => i || "-"), ...extras].join(", ")})`;
  return `  ${outputs.map((o) => o || "-").join(", ")} = ${call}${name && `  # ${name}`}`;
}

function place({ bytes, external }: Initializer): string {
  return external ? `${external.length} bytes at ${external.offset} of ${external.location}` : `${bytes} bytes`;
}

function showGraph({ inputs, outputs, initializers, nodes }: OnnxGraph): string[] {
  return [
    ...inputs.map((v) => `input ${v.name}  ${type(v)}`),
    ...initializers.map((t) => `weight ${t.name}  ${type(t)}  ${place(t)}`),
    ...nodes.map(showNode),
    ...outputs.map((v) => `output ${v.name}  ${type(v)}`),
  ];
}

/** One line per input, weight, node and output. */
export function printOnnx({ irVersion, producer, opsets, graph }: OnnxModel): string {
  const sets = Object.entries(opsets).map(([domain, version]) => `${domain || "ai.onnx"} ${version}`);
  return [`ONNX IR ${irVersion} by ${producer || "unknown"}, ${sets.join(", ")}`, ...showGraph(graph)].join("\n");
}
