/** Runs graphs on ONNX Runtime. */
import type { NdArray } from "../base/index.ts";
import type { Graph } from "../graph/index.ts";
import { writeOnnx } from "../onnx/index.ts";
import { openSession } from "./inline.ts";
import type { CompileOptions, Program } from "./program.ts";

export { loadOrt, openSession } from "./inline.ts";
export * from "./program.ts";

/** Serialises a graph and opens it. Parameters found in `weights` are frozen in; the others stay inputs. */
export function compile(
  graph: Graph,
  options: CompileOptions & { weights?: (name: string) => NdArray | undefined } = {},
): Promise<Program> {
  return openSession(writeOnnx(graph, { weights: options.weights }), options);
}
