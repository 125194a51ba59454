/** Layers that are computed in another way than their definition says, against the definition. */
import { expect, test } from "vitest";
import { f32, type NdArray, Rng } from "../base/index.ts";
import { conv2d, Graph, gradients, mul, sum, type Tensor, upsampleNearest2 } from "../graph/index.ts";
import { compile } from "../runtime/index.ts";
import { enlargedConv } from "./index.ts";

const rng = new Rng(5);
const random = (shape: number[]) => {
  const array = f32(shape);
  for (let i = 0; i < array.data.length; i++) array.data[i] = rng.normal();
  return array;
};
const arrays: Record<string, NdArray> = { weight: random([5, 3, 3, 3]), bias: random([5]) };

/** What a layer gives and the gradients of its input and weights, towards a fixed direction. */
async function both(layer: (x: Tensor) => Tensor): Promise<Record<string, number[]>> {
  const graph = new Graph();
  const x = graph.input("x", "float32", [2, 3, 4, 6]);
  const y = layer(x);
  const loss = sum(mul(y, graph.input("direction", "float32", [2, 5, 8, 12])));
  const wanted = [x, ...[...graph.params.values()].map(({ tensor }) => tensor)];
  for (const [i, gradient] of gradients(loss, wanted).entries()) graph.output(`d ${wanted[i].name}`, gradient);
  graph.output("y", y);
  const program = await compile(graph, { threads: 1, weights: (name) => arrays[name] });
  const result = await program.run({ x: f32([2, 3, 4, 6], pixels.data), direction });
  await program.dispose();
  return Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, [...(data as Float32Array)]]));
}
const pixels = random([2, 3, 4, 6]);
const direction = random([2, 5, 8, 12]);

test("a convolution of an enlarged picture is one of the small picture", async () => {
  const plain = await both((x) => {
    const [weight, bias] = [x.graph.param("weight", [5, 3, 3, 3]), x.graph.param("bias", [5])];
    return conv2d(upsampleNearest2(x), weight, bias, { strides: [1, 1], pads: [1, 1, 1, 1] });
  });
  const fast = await both((x) => enlargedConv(x, 5));
  expect(Object.keys(fast).sort()).toEqual(["d bias", "d weight", "d x", "y"]);
  for (const [name, want] of Object.entries(plain)) {
    expect(fast[name].length).toBe(want.length);
    const off = Math.max(...want.map((value, i) => Math.abs(value - fast[name][i])));
    expect(off, name).toBeLessThan(1e-4);
    expect(Math.max(...want.map(Math.abs)), name).toBeGreaterThan(1);
  }
});
