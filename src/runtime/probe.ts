/** A process of its own that computes 2 * 3 on the device it is told, and says the result. */
import { f32 } from "../base/index.ts";
import { Graph, matmul } from "../graph/index.ts";
import type { DeviceName } from "./devices.ts";
import { compile } from "./index.ts";

const device = process.argv[2] as DeviceName;
const graph = new Graph();
graph.output("y", matmul(graph.input("a", "float32", [1, 1]), graph.input("b", "float32", [1, 1])));
try {
  const program = await compile(graph, { device, threads: 1 });
  const { y } = await program.run({ a: f32([1, 1], [2]), b: f32([1, 1], [3]) });
  console.log(String(y.data[0]));
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message.replaceAll("\n", " ") : String(error));
  process.exit(1);
}
