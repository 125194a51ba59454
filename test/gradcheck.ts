/** Checks one op: forward against expected numbers or a JS function, gradient against central differences. */
import { expect } from "vitest";
import { f32, type NdArray, Rng, sizeOf } from "../src/base/index.ts";
import { Graph, gradients, mul, sum, type Tensor } from "../src/graph/index.ts";
import { compile } from "../src/runtime/index.ts";

export interface OpCase {
  /** Input shapes; values are drawn from `draw`, or given. */
  inputs: Record<string, readonly number[] | NdArray>;
  build: (inputs: Record<string, Tensor>) => Tensor;
  draw?: (rng: Rng) => number;
  /** Inputs without gradient (indices, conditions). */
  fixed?: string[];
  tolerance?: number;
}

/** Loss = sum(random weights * op(inputs)), so that every output element counts differently. */
export async function checkGradient({
  inputs,
  build,
  draw = (r) => r.normal(),
  fixed = [],
  tolerance = 2e-2,
}: OpCase): Promise<number> {
  const rng = new Rng(11);
  const graph = new Graph();
  const feeds: Record<string, NdArray> = {};
  const tensors: Record<string, Tensor> = {};
  for (const [name, spec] of Object.entries(inputs)) {
    feeds[name] =
      "data" in spec
        ? spec
        : f32(
            spec,
            Float32Array.from({ length: sizeOf(spec) }, () => draw(rng)),
          );
    tensors[name] = graph.input(name, feeds[name].dtype, feeds[name].shape);
  }
  const result = build(tensors);
  const weights = f32(
    result.shape as number[],
    Float32Array.from({ length: sizeOf(result.shape as number[]) }, () => rng.normal()),
  );
  const loss = sum(mul(result, graph.constant(weights)));
  const wanted = Object.keys(inputs).filter((n) => !fixed.includes(n));
  const grads = gradients(
    loss,
    wanted.map((n) => tensors[n]),
  );
  graph.output("loss", loss);
  for (const [i, n] of wanted.entries()) graph.output(`d_${n}`, grads[i]);
  const program = await compile(graph, { threads: 1 });
  const out = await program.run(feeds);

  let worst = 0;
  for (const name of wanted) {
    const x = feeds[name].data as Float32Array;
    const analytic = out[`d_${name}`].data as Float32Array;
    expect(
      analytic.some((g) => g !== 0),
      `gradient of ${name} is not all zero`,
    ).toBe(true);
    for (let i = 0; i < x.length; i++) {
      const at = async (value: number) => {
        const kept = x[i];
        x[i] = value;
        const got = ((await program.run(feeds)).loss.data as Float32Array)[0];
        const exact = x[i];
        x[i] = kept;
        return [got, exact];
      };
      const step = 1e-2 * Math.max(1, Math.abs(x[i]));
      const [hi, a] = await at(x[i] + step);
      const [lo, b] = await at(x[i] - step);
      const numeric = (hi - lo) / (a - b);
      const error = Math.abs(numeric - analytic[i]) / Math.max(1, Math.abs(numeric), Math.abs(analytic[i]));
      worst = Math.max(worst, error);
    }
  }
  expect(worst).toBeLessThan(tolerance);
  await program.dispose();
  return worst;
}
