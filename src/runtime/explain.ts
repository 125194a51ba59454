/** Adds to errors of ONNX Runtime the node of the graph that they name, with its inputs and shapes. */
import { FewstepError } from "../base/index.ts";
import { type Graph, printNode } from "../graph/index.ts";
import { nodeName } from "../onnx/index.ts";
import type { Program } from "./program.ts";

export function explainErrors(graph: Graph) {
  return (error: unknown): never => {
    if (!(error instanceof FewstepError)) throw error;
    const { message, code, where } = error;
    // ONNX Runtime quotes names, or puts them in parentheses.
    const named = graph.nodes.find((node) => [")", "'"].some((end) => message.includes(nodeName(node) + end)));
    if (!named) throw error;
    const longer = new FewstepError(message, { code, hint: printNode(named), cause: error });
    throw Object.assign(longer, { where });
  };
}

/** The program of a graph, its errors explained. */
export function explained(graph: Graph, program: Program): Program {
  const explain = explainErrors(graph);
  return { ...program, run: (...call) => program.run(...call).catch(explain) };
}
