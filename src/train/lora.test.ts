/** Low-rank additions: nothing at first, trained alone, and merged without a difference. */
import { expect, test } from "vitest";
import { f32, type NdArray, Rng } from "../base/index.ts";
import { Graph, mean, square, type Tensor } from "../graph/index.ts";
import { linear } from "../nn/index.ts";
import { compile } from "../runtime/index.ts";
import { adaptLayers, createTrainer, isLora, type Lora, mergeLora } from "./index.ts";

const lora: Lora = { rank: 2, alpha: 6, layers: ["q_proj"] };
const rng = new Rng(3);
const random = (shape: number[]) =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal()),
  );
const x = random([3, 4]);
const plain = {
  "a.q_proj.weight": random([5, 4]),
  "a.q_proj.bias": random([5]),
  "a.fc1.weight": random([2, 5]),
  "a.fc1.bias": random([2]),
};

/** Asks for the adapted layer twice, as two passes through a model do. */
function build(graph: Graph): Tensor {
  const input = graph.input("x", "float32", [3, 4]);
  const layer = (name: string, of: Tensor, width: number) =>
    graph.scope("a", () => graph.scope(name, () => linear(of, width)));
  layer("q_proj", input, 5);
  return layer("fc1", layer("q_proj", input, 5), 2);
}

async function outputOf(weights: Record<string, NdArray<"float32">>, adapted: boolean): Promise<number[]> {
  const graph = new Graph();
  if (adapted) adaptLayers(graph, lora);
  graph.output("y", build(graph));
  const program = await compile(graph, { weights: (name) => weights[name], threads: 1 });
  const { y } = await program.run({ x });
  await program.dispose();
  return Array.from(y.data as Float32Array);
}

test("training moves the additions alone, and merged weights compute what adapted ones do", async () => {
  const trainer = await createTrainer({
    build(graph) {
      adaptLayers(graph, lora);
      return { loss: mean(square(build(graph))) };
    },
    weights: plain,
    frozen: (name) => !isLora(name),
    threads: 1,
  });
  const start = { ...trainer.params };
  expect(Object.keys(start).filter(isLora)).toEqual(["a.q_proj.lora_A.weight", "a.q_proj.lora_B.weight"]);
  expect(start["a.q_proj.lora_A.weight"].shape).toEqual([2, 4]);
  const before = await outputOf(start, true);
  expect(before).toEqual(await outputOf(plain, false));

  const losses: number[] = [];
  for (let step = 0; step < 20; step++) losses.push((await trainer.step([{ x }], 0.05)).loss);
  expect(losses[19]).toBeLessThan(0.8 * losses[0]);
  for (const [name, { data }] of Object.entries(plain)) expect(trainer.params[name].data).toEqual(data);

  const merged = mergeLora(trainer.params, lora);
  expect(Object.keys(merged).sort()).toEqual(Object.keys(plain).sort());
  const [want, got] = [await outputOf(trainer.params, true), await outputOf(merged, false)];
  for (const [i, value] of want.entries()) expect(got[i]).toBeCloseTo(value, 5);
  expect(Math.max(...want.map((value, i) => Math.abs(value - before[i])))).toBeGreaterThan(0.1);
  await trainer.dispose();
});

test("half of an addition is refused", () => {
  const half = { ...plain, "a.q_proj.lora_A.weight": random([2, 4]) };
  expect(() => mergeLora(half, lora)).toThrow(/half of a low-rank product/);
});
