/** Graphs with named sizes, built once and run at several sizes. */
import { expect, test } from "vitest";
import { f32, i64, type NdArray, Rng, sizeOf } from "../base/index.ts";
import { compile } from "../runtime/index.ts";
import { addDims, divideSizes } from "./dims.ts";
import * as g from "./index.ts";

const rng = new Rng(5);
const random = (shape: number[]) =>
  f32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
const numbers = (a: NdArray) => Array.from(a.data as ArrayLike<number | bigint>, Number);

test("sizes that follow each other add up", () => {
  expect(addDims(2, 3)).toBe(5);
  expect(addDims("P", 0)).toBe("P");
  expect(addDims("past", "text")).toBe("past+text");
  expect(addDims(1, "P")).toBe("P+1");
  expect(addDims(addDims("P", 1), "T")).toBe("P+T+1");
  expect(addDims(addDims("T", -1), 1)).toBe("T");
  expect(addDims("T-1", "T+2")).toBe("T+T+1");
});

test("sizes divide as products do", () => {
  expect(divideSizes([6, 4], [8])).toBe(3);
  expect(divideSizes([6, 4], [7])).toBeUndefined();
  expect(divideSizes(["B", "T", 64], [64])).toBe("B*T");
  expect(divideSizes(["B*T", 64], ["T", "B", 8])).toBe(8);
  expect(divideSizes(["B", 64], ["T"])).toBeUndefined();
  expect(divideSizes(["P+T", 64], [32])).toBe("2*(P+T)");
  expect(divideSizes(["2*(P+T)"], ["P+T"])).toBe(2);
  expect(divideSizes(["3*(2*(P+1)+T)", "B"], ["B", 3])).toBe("2*(P+1)+T");
  expect(divideSizes([0, 4], [0])).toBe(1);
});

const [HEADS, WIDTH] = [2, 4];

/** One attention layer with a cache: tokens [B, T], past keys [B, H, P, d] -> mixed [B, T, HEADS * WIDTH]. */
function attention(graph: g.Graph) {
  const full = HEADS * WIDTH;
  const tokens = graph.input("tokens", "int64", ["B", "T"]);
  const past = graph.input("past", "float32", ["B", HEADS, "P", WIDTH]);
  const x = g.gather(graph.input("table", "float32", [5, full]), tokens);
  const rows = g.gemm(g.reshape(x, [-1, full]), graph.input("weight", "float32", [full, full]));
  const heads = g.transpose(g.reshape(rows, ["B", "T", HEADS, WIDTH]), [0, 2, 1, 3]);
  const keys = g.concat([past, heads], 2);
  const scores = g.softmax(g.matmul(heads, g.transposeLast(keys)));
  const mixed = g.reshape(g.transpose(g.matmul(scores, keys), [0, 2, 1, 3]), ["B", "T", full]);
  return { x, rows, heads, keys, scores, mixed, last: g.slice(mixed, 1, -1), rest: g.slice(mixed, 1, 0, -1) };
}

test("attention with a cache: shapes carry their names", () => {
  const { x, rows, heads, keys, scores, mixed, last, rest } = attention(new g.Graph());
  expect([x, rows, heads, keys, scores, mixed, last, rest].map((t) => g.showShape(t.shape))).toEqual([
    "[B, T, 8]",
    "[B*T, 8]",
    "[B, 2, T, 4]",
    "[B, 2, P+T, 4]",
    "[B, 2, T, P+T]",
    "[B, T, 8]",
    "[B, 1, 8]",
    "[B, T-1, 8]",
  ]);
});

/** The same in plain loops. */
function attend(tokens: number[][], past: NdArray, table: number[], weight: number[]): number[] {
  const full = HEADS * WIDTH;
  const pastLength = past.shape[2];
  const dot = (a: number[], b: number[]) => a.reduce((s, v, i) => s + v * b[i], 0);
  return tokens.flatMap((row, b) => {
    const projected = row.map((id) =>
      Array.from({ length: full }, (_, j) =>
        Array.from({ length: full }, (_, k) => table[id * full + k] * weight[k * full + j]).reduce((p, q) => p + q),
      ),
    );
    return projected.flatMap((query) =>
      Array.from({ length: HEADS }, (_, h) => {
        const own = projected.map((r) => r.slice(h * WIDTH, (h + 1) * WIDTH));
        const from = (b * HEADS + h) * pastLength * WIDTH;
        const old = Array.from({ length: pastLength }, (_, p) =>
          numbers(past).slice(from + p * WIDTH, from + (p + 1) * WIDTH),
        );
        const keys = [...old, ...own];
        const weights = keys.map((key) => Math.exp(dot(query.slice(h * WIDTH, (h + 1) * WIDTH), key)));
        const total = weights.reduce((p, q) => p + q);
        return Array.from({ length: WIDTH }, (_, d) =>
          keys.reduce((s, key, i) => s + (weights[i] / total) * key[d], 0),
        );
      }).flat(),
    );
  });
}

test("attention with a cache runs at several sizes of batch, text and past", async () => {
  const graph = new g.Graph();
  const { mixed, last, rest } = attention(graph);
  for (const [name, t] of Object.entries({ mixed, last, rest })) graph.output(name, t);
  const program = await compile(graph, { threads: 1 });
  const [table, weight] = [random([5, 8]), random([8, 8])];
  for (const [batch, text, pastLength] of [
    [1, 1, 0],
    [1, 1, 3],
    [2, 3, 0],
    [3, 2, 5],
  ]) {
    const tokens = Array.from({ length: batch }, () => Array.from({ length: text }, () => rng.int(5)));
    const past = random([batch, HEADS, pastLength, WIDTH]);
    const got = await program.run({ tokens: i64([batch, text], tokens.flat()), past, table, weight });
    const want = attend(tokens, past, numbers(table), numbers(weight));
    expect(got.mixed.shape).toEqual([batch, text, 8]);
    expect(Math.max(...want.map((v, i) => Math.abs(v - numbers(got.mixed)[i])))).toBeLessThan(1e-5);
    expect(Math.max(...want.map(Math.abs))).toBeGreaterThan(0.1);
    expect(got.last.shape).toEqual([batch, 1, 8]);
    expect(got.rest.shape).toEqual([batch, text - 1, 8]);
    expect(numbers(got.last).slice(0, 8)).toEqual(numbers(got.mixed).slice((text - 1) * 8, text * 8));
  }
  await program.dispose();
});

test("gradients of a batch of unknown size", async () => {
  const graph = new g.Graph();
  const [x, w] = [graph.input("x", "float32", ["B", "T", 3]), graph.input("w", "float32", [3, 2])];
  const rows = g.reshape(g.gemm(g.reshape(x, [-1, 3]), w), ["B", "T", 2]);
  const picked = g.gatherElements(g.logSoftmax(rows), graph.input("label", "int64", ["B", "T", 1]));
  const loss = g.neg(g.sum(picked));
  const [dx, dw] = g.gradients(loss, [x, w]);
  expect([dx.shape, dw.shape]).toEqual([
    ["B", "T", 3],
    [3, 2],
  ]);
  for (const [name, t] of Object.entries({ loss, dx, dw })) graph.output(name, t);
  const program = await compile(graph, { threads: 1 });
  for (const [batch, text] of [
    [1, 1],
    [2, 3],
  ]) {
    const [values, weights] = [random([batch, text, 3]), random([3, 2])];
    const label = i64(
      [batch, text, 1],
      Array.from({ length: batch * text }, () => rng.int(2)),
    );
    const out = await program.run({ x: values, w: weights, label });
    // d loss / d logit = probability - target.
    const [xs, ws] = [numbers(values), numbers(weights)];
    const want = new Float32Array(6);
    let total = 0;
    for (let n = 0; n < batch * text; n++) {
      const logits = [0, 1].map((j) => [0, 1, 2].reduce((s, k) => s + xs[n * 3 + k] * ws[k * 2 + j], 0));
      const sum = Math.exp(logits[0]) + Math.exp(logits[1]);
      for (const j of [0, 1]) {
        const target = Number(label.data[n]) === j ? 1 : 0;
        const slope = Math.exp(logits[j]) / sum - target;
        if (target) total -= Math.log(Math.exp(logits[j]) / sum);
        for (const k of [0, 1, 2]) want[k * 2 + j] += slope * xs[n * 3 + k];
      }
    }
    expect(numbers(out.loss)[0]).toBeCloseTo(total, 4);
    expect(Math.max(...numbers(out.dw).map((v, i) => Math.abs(v - want[i])))).toBeLessThan(1e-5);
    expect(out.dx.shape).toEqual([batch, text, 3]);
  }
  await program.dispose();
});

test("a loss may have axes of size 1", () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 2]);
  const loss = g.neg(g.reduceSum(x, [0, 1], true));
  expect(loss.shape).toEqual([1, 1]);
  expect(g.gradients(loss, [x])[0].shape).toEqual(["B", 2]);
});

test("expand and reshape read sizes from wherever they are", async () => {
  const graph = new g.Graph();
  const a = graph.input("a", "float32", ["A"]);
  const b = graph.input("b", "float32", ["B", 1]);
  const grid = g.expand(a, ["B", "A"]);
  expect(grid.shape).toEqual(["B", "A"]);
  const flat = g.reshape(g.add(grid, b), [-1]);
  expect(flat.shape).toEqual(["B*A"]);
  graph.output("flat", flat);
  graph.output("turned", g.reshape(flat, ["A", "B"]));
  graph.output("swapped", g.reshape(grid, ["A", "B"]));
  const program = await compile(graph, { threads: 1 });
  const out = await program.run({ a: f32([3], [1, 2, 3]), b: f32([2, 1], [10, 20]) });
  expect(numbers(out.flat)).toEqual([11, 12, 13, 21, 22, 23]);
  expect(out.turned.shape).toEqual([3, 2]);
  const empty = await program.run({ a: f32([0], []), b: f32([2, 1], [10, 20]) });
  expect(empty.turned.shape).toEqual([0, 2]);
  // A size of 0 must not be taken for "as before", which would be 3 here.
  const none = await program.run({ a: f32([3], [1, 2, 3]), b: f32([0, 1], []) });
  expect(none.swapped.shape).toEqual([3, 0]);
  await program.dispose();
});

test("convolution and its gradients with a batch of unknown size", async () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 1, 2, 2]);
  const w = graph.input("w", "float32", [1, 1, 2, 2]);
  const y = g.conv2d(x, w, undefined, { strides: [1, 1], pads: [0, 0, 0, 0] });
  expect(y.shape).toEqual(["B", 1, 1, 1]);
  const [dx, dw] = g.gradients(g.sum(y), [x, w]);
  graph.output("y", y);
  graph.output("dx", dx);
  graph.output("dw", dw);
  const program = await compile(graph, { threads: 1 });
  const values = f32([2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  const out = await program.run({ x: values, w: f32([1, 1, 2, 2], [1, 0, 0, -1]) });
  expect(numbers(out.y)).toEqual([-3, -3]);
  expect(numbers(out.dw)).toEqual([6, 8, 10, 12]);
  expect(numbers(out.dx)).toEqual([1, 0, 0, -1, 1, 0, 0, -1]);
  await program.dispose();
});

test("a slice of a named axis names what is left", () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["T", 2]);
  const shapes = [
    g.slice(x, 0, 1),
    g.slice(x, 0, 2, 5),
    g.slice(x, 0, -3),
    g.slice(x, 0, -3, -1),
    g.slice(x, 0, 1, -1),
  ];
  expect(shapes.map((t) => t.shape[0])).toEqual(["T-1", 3, 3, 2, "T-2"]);
  expect(g.concat([g.slice(x, 0, 1), g.slice(x, 0, 0, 1)], 0).shape).toEqual(["T", 2]);
});

test("the listing shows layers, small constants and shapes", () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 3]);
  graph.input("spare", "int64", []);
  const w = graph.scope("head", () => graph.param("weight", [2, 3]));
  const y = graph.scope("head", () => g.gemm(g.mul(x, 0.5), w, { transB: true }));
  graph.output("best", g.reshape(g.argMax(y), [-1, 1]));
  expect(g.printGraph(graph).split("\n")).toEqual([
    "input x  float32[B, 3]",
    "input spare  int64[]  (unused)",
    "param head.weight  float32[2, 3]",
    "head:",
    "  Mul:1 = Mul(x, 0.5)  float32[B, 3]",
    "  Gemm:2 = Gemm(Mul:1, head.weight)  float32[B, 2]",
    "(no layer):",
    "  ArgMax:3 = ArgMax(Gemm:2)  int64[B]",
    "  Reshape:5 = Reshape(ArgMax:3, [-1, 1])  int64[B, 1]",
    "output best = Reshape:5  int64[B, 1]",
  ]);
});
