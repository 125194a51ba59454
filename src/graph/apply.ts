/** Makes a node: looks the op up in the table, infers its shapes, appends it to the graph of its inputs. */
import { internal } from "../base/index.ts";
import type { Attributes, Graph, Tensor } from "./graph.ts";
import { type OpDef, readers } from "./table.ts";

/** The op table, ONNX name to row. Filled by ops/index.ts; a module of its own breaks the import cycle. */
export const OPS = new Map<string, OpDef>();

export function opDef(op: string): OpDef {
  return OPS.get(op) ?? internal(`no op "${op}" in the table`);
}

export function apply(op: string, inputs: readonly (Tensor | undefined)[], attributes: Attributes = {}, graph?: Graph) {
  const home = graph ?? inputs.find((t) => t)?.graph ?? internal(`${op} has no inputs and no graph`);
  const read = readers(op, home.layer, inputs, attributes);
  // Optional inputs are absent only at the end of what infer reads, or it asks has() first.
  const types = opDef(op).infer({ inputs: inputs as readonly Tensor[], attributes, ...read });
  return home.append(op, inputs, attributes, Array.isArray(types) ? types : [types]);
}
