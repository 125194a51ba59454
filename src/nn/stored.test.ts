/** Linear layers of few bits against plain ones, and fused products against their plain twins. */
import { expect, test } from "vitest";
import { f32, i64, type NdArray, nd, Rng } from "../base/index.ts";
import { toFloat16 } from "../files/index.ts";
import { fusedMatmul, Graph, matmul, type Tensor, transpose } from "../graph/index.ts";
import { compile } from "../runtime/index.ts";
import { blockOf, linear, type Storage, storedArrays, storedEmbedding, storedLinear } from "./index.ts";

const rng = new Rng(3);
const random = (shape: number[], spread = 1) => {
  const array = f32(shape);
  for (let i = 0; i < array.data.length; i++) array.data[i] = spread * rng.normal();
  return array;
};

async function run(
  build: (g: Graph) => Tensor,
  feeds: Record<string, NdArray>,
  weights: Record<string, NdArray | undefined> = {},
): Promise<Float32Array> {
  const graph = new Graph();
  graph.output("y", build(graph));
  const program = await compile(graph, { threads: 1, weights: (name) => weights[name] });
  const { y } = await program.run(feeds);
  await program.dispose();
  return y.data as Float32Array;
}

const relative = (got: ArrayLike<number>, want: ArrayLike<number>) => {
  let [wrong, all] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    wrong += (got[i] - want[i]) ** 2;
    all += want[i] ** 2;
  }
  return Math.sqrt(wrong / all);
};

const [rows, width, out] = [5, 256, 48];
const x = random([1, rows, width]);
const weight = random([out, width], 1 / 16);
const bias = random([out], 0.1);

test.each([
  ["fp32", 0, 1e-6],
  ["fp16", 1e-5, 1e-3],
  ["n8", 1e-3, 0.012],
  ["int8", 2e-3, 0.025],
  ["n4", 0.04, 0.13],
] as const)("%s: as exact as its bits allow, and no more", async (storage: Storage, least, most) => {
  const input = (g: Graph) => g.input("x", "float32", [1, "M", width]);
  const want = await run((g) => linear(input(g), out), { x }, { weight, bias });
  const stored = { ...storedArrays(weight.data, width, storage, toFloat16), bias };
  const got = await run((g) => storedLinear(input(g), out, storage), { x }, stored);
  const error = relative(got, want);
  expect(error).toBeGreaterThanOrEqual(least);
  expect(error).toBeLessThan(most);
});

test("layers that read one tensor quantise it once", () => {
  const g = new Graph();
  const h = g.input("x", "float32", [1, "M", width]);
  for (const name of ["q", "k"])
    g.output(
      name,
      g.scope(name, () => storedLinear(h, out, "int8")),
    );
  expect(g.reachable().filter(({ op }) => op === "DynamicQuantizeLinear")).toHaveLength(1);
});

test("known numbers: the signed extreme of a block gets the far end", () => {
  const row = f32([1, 16], [-8, 7, 0, 1, ...new Array(12).fill(0)]);
  const four = storedArrays(row.data, 16, "n4", toFloat16);
  expect([...four.weight.data.slice(0, 2)]).toEqual([0xf0, 0x98]); // -8 is 0, 7 is 15; 0 is 8, 1 is 9
  expect(four.scales?.data[0]).toBe(1);
  const eight = storedArrays(f32([1, 16], [127, -127, ...new Array(14).fill(0)]).data, 16, "int8", toFloat16);
  expect(eight.weight.shape).toEqual([16, 1]);
  expect([...eight.weight.data.slice(0, 3)]).toEqual([127, -127, 0]);
  expect(blockOf(8192)).toBe(128);
  expect(blockOf(96)).toBe(32);
  expect(() => blockOf(20)).toThrow(/multiple of 16/);
});

test("half-precision embeddings give the rounded rows", async () => {
  const table = random([7, 16]);
  const weights = { weight: nd("float16", [7, 16], toFloat16(table.data)) };
  const ids = i64([1, 2], [6, 0]);
  const got = await run((g) => storedEmbedding(g.input("ids", "int64", [1, 2]), 7, 16, "fp16"), { ids }, weights);
  expect(relative(got, [...table.data.slice(96), ...table.data.slice(0, 16)])).toBeLessThan(1e-3);
});

test("fused products of token-major arrays are the products of transposed ones", async () => {
  const [m, t, heads, d] = [3, 5, 2, 4];
  const feeds = { q: random([m, heads, d]), k: random([t, heads, d]) };
  const q = (g: Graph) => g.input("q", "float32", [m, heads, d]);
  const k = (g: Graph) => g.input("k", "float32", [t, heads, d]);
  const scores = await run(
    (g) => fusedMatmul(q(g), k(g), { transBatchA: true, transBatchB: true, transB: true }),
    feeds,
  );
  const plain = await run((g) => matmul(transpose(q(g), [1, 0, 2]), transpose(k(g), [1, 2, 0])), feeds);
  expect(scores).toHaveLength(heads * m * t);
  expect(relative(scores, plain)).toBeLessThan(1e-6);
  const p = random([heads, m, t]);
  const given = { p, k: feeds.k };
  const weights = (g: Graph) => g.input("p", "float32", [heads, m, t]);
  const mixed = await run((g) => fusedMatmul(weights(g), k(g), { transBatchB: true }), given);
  expect(relative(mixed, await run((g) => matmul(weights(g), transpose(k(g), [1, 0, 2])), given))).toBeLessThan(1e-6);
});
