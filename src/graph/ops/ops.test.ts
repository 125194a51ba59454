/** Every differentiable op of the table against finite differences: one line per op. */
import { afterAll, expect, test } from "vitest";
import { checkGradient, type OpCase } from "../../../test/gradcheck.ts";
import { bool, f32, i64 } from "../../base/index.ts";
import { compile } from "../../runtime/index.ts";
import { OPS } from "../apply.ts";
import * as g from "../index.ts";

const positive = { draw: (r: { uniform(): number }) => 0.5 + r.uniform() };
/** Away from kinks, where a difference quotient means nothing. */
const offKink = { draw: (r: { uniform(): number }) => (r.uniform() < 0.5 ? -1 : 1) * (0.3 + r.uniform()) };
const x = [2, 3];

const CASES: Record<string, OpCase> = {
  Add: { inputs: { x, y: [3] }, build: ({ x, y }) => g.add(x, y) },
  Sub: { inputs: { x: [3], y: [2, 1] }, build: ({ x, y }) => g.sub(x, y) },
  Mul: { inputs: { x, y: [2, 1] }, build: ({ x, y }) => g.mul(x, y) },
  Div: { inputs: { x, y: [3] }, build: ({ x, y }) => g.div(x, y), ...positive },
  Max: { inputs: { x }, build: ({ x }) => g.maximum(x, 0.1), ...offKink },
  Min: { inputs: { x }, build: ({ x }) => g.minimum(0.1, x), ...offKink },
  Neg: { inputs: { x }, build: ({ x }) => g.neg(x) },
  Exp: { inputs: { x }, build: ({ x }) => g.exp(x) },
  Log: { inputs: { x }, build: ({ x }) => g.log(x), ...positive },
  Sqrt: { inputs: { x }, build: ({ x }) => g.sqrt(x), ...positive },
  Reciprocal: { inputs: { x }, build: ({ x }) => g.reciprocal(x), ...positive },
  Abs: { inputs: { x }, build: ({ x }) => g.abs(x), ...offKink },
  Tanh: { inputs: { x }, build: ({ x }) => g.tanh(x) },
  Sigmoid: { inputs: { x }, build: ({ x }) => g.sigmoid(x) },
  Relu: { inputs: { x }, build: ({ x }) => g.relu(x), ...offKink },
  Sin: { inputs: { x }, build: ({ x }) => g.sin(x) },
  Cos: { inputs: { x }, build: ({ x }) => g.cos(x) },
  Gelu: { inputs: { x }, build: ({ x }) => g.gelu(x) },
  Cast: { inputs: { x }, build: ({ x }) => g.mul(g.cast(x, "float32"), x) },
  Where: {
    inputs: { c: bool([3], [1, 0, 1]), x, y: x },
    build: ({ c, x, y }) => g.where(c, x, y),
    fixed: ["c"],
  },
  Reshape: { inputs: { x }, build: ({ x }) => g.reshape(x, [3, -1]) },
  Transpose: { inputs: { x: [2, 3, 4] }, build: ({ x }) => g.transpose(x, [1, 2, 0]) },
  Concat: { inputs: { x, y: [2, 1] }, build: ({ x, y }) => g.concat([x, y], 1) },
  Slice: { inputs: { x: [3, 4] }, build: ({ x }) => g.slice(x, -1, 1, 3) },
  Pad: { inputs: { x }, build: ({ x }) => g.pad(x, [0, 1], [2, 0]) },
  Expand: { inputs: { x: [2, 1] }, build: ({ x }) => g.expand(x, [3, 2, 4]) },
  ReduceSum: { inputs: { x: [2, 3, 2] }, build: ({ x }) => g.reduceSum(x, [0, 2]) },
  ReduceMean: { inputs: { x: [2, 3, 2] }, build: ({ x }) => g.reduceMean(x, [-1], true) },
  ReduceMax: { inputs: { x }, build: ({ x }) => g.reduceMax(x, [1]) },
  MatMul: { inputs: { x: [2, 2, 3], y: [3, 4] }, build: ({ x, y }) => g.matmul(x, y) },
  Gemm: {
    inputs: { x: [3, 2], y: [4, 3], b: [4] },
    build: ({ x, y, b }) => g.gemm(x, y, { transA: true, transB: true, c: b }),
  },
  Softmax: { inputs: { x }, build: ({ x }) => g.softmax(x) },
  LogSoftmax: { inputs: { x }, build: ({ x }) => g.logSoftmax(x) },
  LayerNormalization: {
    inputs: { x: [2, 4], w: [4], b: [4] },
    build: ({ x, w, b }) => g.layerNormalization(x, w, b, 1e-5),
  },
  Gather: { inputs: { x: [4, 3], i: i64([3], [2, 0, 2]) }, build: ({ x, i }) => g.gather(x, i), fixed: ["i"] },
  GatherElements: {
    inputs: { x: [2, 4], i: i64([2, 1], [3, 0]) },
    build: ({ x, i }) => g.gatherElements(x, i, 1),
    fixed: ["i"],
  },
  Resize: { inputs: { x: [2, 2, 3, 2] }, build: ({ x }) => g.upsampleNearest2(x) },
  AveragePool: { inputs: { x: [2, 2, 4, 2] }, build: ({ x }) => g.averagePool2(x) },
  Conv: {
    inputs: { x: [2, 2, 5, 4], w: [3, 2, 3, 3], b: [3] },
    build: ({ x, w, b }) => g.conv2d(x, w, b, { strides: [2, 2], pads: [0, 1, 1, 1] }),
  },
  ConvTranspose: {
    inputs: { x: [2, 3, 3, 2], w: [3, 2, 4, 4], b: [2] },
    build: ({ x, w, b }) => g.convTranspose2d(x, w, b, { strides: [2, 2], pads: [1, 1, 1, 1] }),
  },
};

for (const [name, spec] of Object.entries(CASES))
  test(`${name}: gradient agrees with finite differences`, async () => {
    await checkGradient(spec);
  });

test("Gemm without transposes", () =>
  checkGradient({ inputs: { x: [3, 2], y: [2, 4] }, build: ({ x, y }) => g.gemm(x, y) }));
test("Gemm with the first transposed", () =>
  checkGradient({ inputs: { x: [2, 3], y: [2, 4] }, build: ({ x, y }) => g.gemm(x, y, { transA: true }) }));
test("Gemm with the second transposed", () =>
  checkGradient({ inputs: { x: [3, 2], y: [4, 2] }, build: ({ x, y }) => g.gemm(x, y, { transB: true }) }));
test("MatMul with batches on both sides", () =>
  checkGradient({ inputs: { x: [2, 1, 2, 3], y: [2, 3, 2] }, build: ({ x, y }) => g.matmul(x, y) }));
test("Conv with stride 1 and same padding", () =>
  checkGradient({
    inputs: { x: [1, 2, 3, 4], w: [2, 2, 3, 3] },
    build: ({ x, w }) => g.conv2d(x, w, undefined, { strides: [1, 1], pads: [1, 1, 1, 1] }),
  }));
test("Conv with a kernel of one pixel", () =>
  checkGradient({
    inputs: { x: [2, 3, 3, 4], w: [2, 3, 1, 1], b: [2] },
    build: ({ x, w, b }) => g.conv2d(x, w, b, { strides: [1, 1], pads: [0, 0, 0, 0] }),
  }));
test("Conv with a stride that leaves rows unread", () =>
  checkGradient({
    inputs: { x: [1, 2, 6, 7], w: [2, 2, 2, 2] },
    build: ({ x, w }) => g.conv2d(x, w, undefined, { strides: [3, 3], pads: [0, 0, 0, 0] }),
  }));
test("a tensor used twice adds its gradients", () =>
  checkGradient({ inputs: { x }, build: ({ x }) => g.mul(g.add(x, 1), g.sigmoid(x)) }));

test("gradients of rows that are read many times add up on any number of threads", async () => {
  const [reads, width] = [3000, 256];
  for (const threads of [1, 2, 4]) {
    const graph = new g.Graph();
    const table = graph.input("table", "float32", [9, width]);
    const scale = graph.input("scale", "float32", [reads, width]);
    const rows = g.gather(table, graph.input("rows", "int64", [reads]));
    graph.output("d", g.gradients(g.sum(g.mul(rows, scale)), [table])[0]);
    const program = await compile(graph, { threads });
    // Row r is read reads / 5 times for r < 5, with 1 each time.
    const feeds = {
      rows: i64(
        [reads],
        Array.from({ length: reads }, (_, i) => (i * 7) % 5),
      ),
      scale: f32([reads, width], new Float32Array(reads * width).fill(1)),
    };
    const expected = Array.from({ length: 9 * width }, (_, i) => (i < 5 * width ? reads / 5 : 0));
    for (let run = 0; run < 5; run++) expect([...(await program.run(feeds)).d.data]).toEqual(expected);
    await program.dispose();
  }
});

afterAll(() => {
  const untested = [...OPS].filter(([op, def]) => def.gradient && !(op in CASES)).map(([op]) => op);
  expect(untested, "differentiable ops without a line above").toEqual([]);
});
