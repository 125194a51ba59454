/** A readable listing of a graph: one line per input, parameter and node, nodes grouped by layer. */
import { type Graph, type Node, showType, type Tensor } from "./graph.ts";

const show = (graph: Graph, t: Tensor | undefined): string => {
  const value = t && graph.constants.get(t);
  if (!value || value.data.length > 4) return t ? t.name : "-";
  const numbers = Array.from(value.data as ArrayLike<number | bigint>, String).join(", ");
  return value.shape.length ? `[${numbers}]` : numbers;
};

/** "Softmax:7 = Softmax(MatMul:5)  float32[2, 8]"; small constants are written out. */
export function printNode(node: Node): string {
  const { graph } = node.outputs[0];
  const names = node.outputs.map((t) => t.name).join(", ");
  return `${names} = ${node.op}(${node.inputs.map((t) => show(graph, t)).join(", ")})  ${node.outputs.map(showType).join(", ")}`;
}

/** What the outputs need, in running order. */
export function printGraph(graph: Graph): string {
  const nodes = graph.reachable();
  const used = new Set([...graph.outputs.values(), ...nodes.flatMap((node) => node.inputs)]);
  const lines: string[] = [];
  for (const t of graph.inputs.values())
    lines.push(`input ${t.name}  ${showType(t)}${used.has(t) ? "" : "  (unused)"}`);
  for (const { tensor } of graph.params.values())
    if (used.has(tensor)) lines.push(`param ${tensor.name}  ${showType(tensor)}`);
  let layer = "";
  for (const node of nodes) {
    if (node.layer !== layer) lines.push(`${(layer = node.layer) || "(no layer)"}:`);
    lines.push(`  ${printNode(node)}`);
  }
  for (const [name, t] of graph.outputs) lines.push(`output ${name} = ${show(graph, t)}  ${showType(t)}`);
  return lines.join("\n");
}
