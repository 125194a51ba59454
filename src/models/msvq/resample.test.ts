import { expect, test } from "vitest";
import { f32 } from "../../base/index.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { resample, resampleMatrix, resamplePlane } from "./resample.ts";

const rows = (mode: Parameters<typeof resampleMatrix>[0], from: number, to: number) => {
  const { data } = resampleMatrix(mode, from, to);
  return Array.from({ length: to }, (_, o) => [...data.subarray(o * from, (o + 1) * from)]);
};

test("area takes the unweighted mean of all that an output touches", () => {
  expect(rows("area", 4, 3)).toEqual([
    [0.5, 0.5, 0, 0],
    [0, 0.5, 0.5, 0],
    [0, 0, 0.5, 0.5],
  ]);
  expect(rows("area", 4, 1)).toEqual([[0.25, 0.25, 0.25, 0.25]]);
});

test("bicubic has four taps of Keys' kernel at -0.75, edges repeated", () => {
  for (const [only] of rows("bicubic", 1, 3)) expect(only).toBeCloseTo(1, 6);
  // Output 0 lies at -0.25: taps at -2, -1, 0, 1 by distances 1.75, 0.75, 0.25, 1.25; the first three are the edge.
  const [first] = rows("bicubic", 2, 4);
  expect(first[1]).toBeCloseTo(-0.10546875, 7);
  expect(first[0]).toBeCloseTo(1.10546875, 7);
});

test("bilinear stops at the edges, nearest rounds down", () => {
  expect(rows("bilinear", 2, 4)).toEqual([
    [1, 0],
    [0.75, 0.25],
    [0.25, 0.75],
    [0, 1],
  ]);
  expect(rows("nearest", 5, 2)).toEqual([
    [1, 0, 0, 0, 0],
    [0, 0, 1, 0, 0],
  ]);
  // A mask's quarter: every output sees one input of four.
  expect([...resamplePlane([1, 0, 0, 0], 2, "bilinear", 1)]).toEqual([0.25]);
});

test("rows and columns are resampled each by their own matrix", async () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", [1, 1, 2, 4]);
  graph.output("y", resample(x, "area", 1, 2));
  const program = await compile(graph, { threads: 1 });
  const { y } = await program.run({ x: f32([1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8]) });
  expect(y).toMatchObject({ shape: [1, 1, 1, 2] });
  expect([...(y.data as Float32Array)]).toEqual([3.5, 5.5]);
  await program.dispose();
});
