/** Runs what a check builds of recorded inputs. */
import { f32, type NdArray } from "fewstep/base";
import { Graph, type Tensor } from "fewstep/graph";
import { compile } from "fewstep/runtime";
import type { VarCase, Weights } from "./folder.ts";

/** Outputs of what `build` makes of named inputs. Parameters come from `weights`, given to the run as they are. */
export async function evaluate(
  inputs: Record<string, NdArray>,
  build: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  weights: Weights = () => undefined,
): Promise<Record<string, NdArray>> {
  const graph = new Graph();
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, shape }]) => [name, graph.input(name, dtype, shape)]),
  );
  for (const [name, tensor] of Object.entries(build(tensors))) graph.output(name, tensor);
  const program = await compile(graph);
  const given = program.inputs.map((name) => [name, inputs[name] ?? weights(name)] as const);
  const feeds = Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
  const out = await program.run(feeds);
  await program.dispose();
  return out;
}

/** The same, comparing every output with the recorded one of its name. */
export async function checkGraph(
  c: VarCase,
  inputs: Record<string, NdArray>,
  build: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  weights?: Weights,
): Promise<void> {
  const out = await evaluate(inputs, build, weights);
  for (const [name, value] of Object.entries(out)) c.check(name, value);
}

/** Means over non-overlapping blocks of 4 x 4 pixels of pictures [B, C, H, W]. */
export function pool4({ shape, data }: NdArray<"float32">): NdArray<"float32"> {
  const [batch, channels, height, width] = shape;
  const out = f32([batch, channels, height / 4, width / 4]);
  for (let plane = 0; plane < batch * channels; plane++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        out.data[(plane * (height / 4) + (y >> 2)) * (width / 4) + (x >> 2)] +=
          data[(plane * height + y) * width + x] / 16;
  return out;
}

/** One item of the first axis, with that axis kept. */
export function item({ shape, data }: NdArray<"float32">, at: number): NdArray<"float32"> {
  const size = data.length / shape[0];
  return f32([1, ...shape.slice(1)], data.subarray(at * size, (at + 1) * size));
}
