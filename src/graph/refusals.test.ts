/** What a graph refuses, and that the text says which op, which shapes, which layer. */
import { expect, test } from "vitest";
import { FewstepError, i64 } from "../base/index.ts";
import * as g from "./index.ts";

/** Message and code of what `build` throws. */
function refusal(build: () => unknown): { text: string; code: string } {
  try {
    build();
  } catch (error) {
    if (error instanceof FewstepError) return { text: error.message, code: error.code };
    throw error;
  }
  throw new Error("nothing was refused");
}

const graph = new g.Graph();
const tensor = (shape: g.Shape, dtype: "float32" | "int64" | "bool" = "float32") =>
  graph.input(`in${graph.inputs.size}`, dtype, shape);
const [x, y, cube, ids, yes] = [
  tensor([2, 3]),
  tensor([4, 5]),
  tensor([2, 3, 4]),
  tensor([7], "int64"),
  tensor([2, 3], "bool"),
];
const pixels = tensor([1, 3, 8, 8]);
const kernels = (shape: g.Shape) => tensor(shape);
const same = { strides: [1, 1], pads: [0, 0, 0, 0] };

/** Op, builder, and what the message must contain beside the op and its layer. */
const CASES: [op: string, build: () => unknown, ...parts: string[]][] = [
  ["Add", () => g.add(x, y), "shapes that broadcast", "float32[2, 3], float32[4, 5]"],
  ["Mul", () => g.mul(x, g.cast(x, "int64")), "two tensors of one dtype", "float32[2, 3], int64[2, 3]"],
  ["Less", () => g.less(x, y), "shapes that broadcast", "float32[4, 5]"],
  ["Exp", () => g.exp(ids), "a float tensor", "int64[7]"],
  ["Not", () => g.not(x), "a bool tensor", "float32[2, 3]"],
  ["And", () => g.and(yes, x), "bool tensors", "bool[2, 3], float32[2, 3]"],
  ["Where", () => g.where(x, x, x), "a bool condition", "float32[2, 3], float32[2, 3]"],
  ["Where", () => g.where(yes, x, y), "shapes that broadcast", "bool[2, 3], float32[2, 3], float32[4, 5]"],
  ["Reshape", () => g.reshape(x, [4, 2]), "as many elements as [4, 2] has", "float32[2, 3]"],
  ["Reshape", () => g.reshape(x, [4, -1]), "a size that [4, -1] divides", "float32[2, 3]"],
  ["Transpose", () => g.transpose(x, [0, 0]), "a permutation of 2 axes, not 0,0", "float32[2, 3]"],
  ["Concat", () => g.concat([x, y], 0), "tensors alike but for axis 0", "float32[2, 3], float32[4, 5]"],
  ["Concat", () => g.concat([x, x], 2), "an axis from -2 to 1, not 2", "float32[2, 3]"],
  ["Slice", () => g.slice(x, 1, 2, 1), "a slice inside 0..3 of axis 1, not 2..1", "float32[2, 3]"],
  ["split", () => g.split(y, 1, 2), "an axis 1 that 2 parts divide", "float32[4, 5]"],
  ["Pad", () => g.pad(x, [1], [1]), "two non-negative pads per axis", "float32[2, 3]"],
  ["Expand", () => g.expand(x, [2, 5]), "a shape that broadcasts to [2, 5]", "float32[2, 3]"],
  ["ReduceSum", () => g.reduceSum(x, [2]), "an axis from -2 to 1, not 2", "float32[2, 3]"],
  ["ArgMax", () => g.argMax(x, -3), "an axis from -2 to 1, not -3", "float32[2, 3]"],
  ["TopK", () => g.topK(x, 4), "k from 1 to 3, not 4", "float32[2, 3]"],
  ["MatMul", () => g.matmul(x, y), "[..., m, k] and [..., k, n]", "float32[2, 3], float32[4, 5]"],
  [
    "MatMul",
    () => g.matmul(cube, tensor([3, 4, 1])),
    "batch axes that broadcast",
    "float32[2, 3, 4], float32[3, 4, 1]",
  ],
  ["Gemm", () => g.gemm(cube, x), "two matrices", "float32[2, 3, 4]"],
  ["Gemm", () => g.gemm(x, y), "inner sizes agree", "float32[2, 3], float32[4, 5]"],
  ["Gemm", () => g.gemm(x, x, { transB: true, c: x }), "a bias [2]", "float32[2, 3], float32[2, 3], float32[2, 3]"],
  ["Softmax", () => g.softmax(x, 2), "an axis from -2 to 1, not 2", "float32[2, 3]"],
  ["LayerNormalization", () => g.layerNormalization(x, ids, undefined, 1), "weight and bias [3]", "int64[7]"],
  ["Gather", () => g.gather(x, y), "integer indices", "float32[2, 3], float32[4, 5]"],
  ["GatherElements", () => g.gatherElements(x, ids), "indices shaped like the data but for axis 1", "int64[7]"],
  ["Conv", () => g.conv2d(x, y, undefined, same), "pixels [B, C, H, W]", "float32[2, 3], float32[4, 5]"],
  ["Conv", () => g.conv2d(pixels, kernels([2, 3, 9, 9]), undefined, same), "at least as large as the kernel"],
  ["Conv", () => g.conv2d(pixels, kernels([2, 3, 1, 1]), x, same), "a bias [2]", "float32[2, 3]"],
  [
    "ConvTranspose",
    () => g.convTranspose2d(pixels, kernels([5, 3, 4, 4]), undefined, same),
    "weights [C, O, kh, kw]",
    "float32[5, 3, 4, 4]",
  ],
];

for (const [op, build, ...parts] of CASES)
  test(`${op} refuses: ${parts[0]}`, () => {
    const { text, code } = refusal(() => graph.scope("decoder.3", build));
    expect(code).toBe("BAD_GRAPH");
    for (const part of [`${op} in decoder.3: `, ...parts]) expect(text).toContain(part);
  });

test("a size that must be known is named with its op and layer", () => {
  const g2 = new g.Graph();
  const long = g2.input("x", "float32", ["T", 4]);
  const pixels = g2.input("p", "float32", [1, 3, "H", 8]);
  const weight = g2.param("w", [2, 3, 1, 1]);
  expect(refusal(() => g2.scope("stem", () => g.conv2d(pixels, weight, undefined, same))).text).toMatch(
    /^Conv in stem: the size "H" must be known when the graph is built\n.*a number\n.*float32\[1, 3, H, 8\]/,
  );
  expect(refusal(() => g2.scope("heads", () => g.split(long, 0, 2))).text).toContain(
    'split in heads: the size "T" must',
  );
  const rows = g2.scope("join", () => g.concat([long, long], 0));
  for (const [op, layer, y] of [
    ["Concat", "join", rows],
    ["Slice", "cut", g2.scope("cut", () => g.slice(long, 0, 1, 2))],
    ["Pad", "edge", g2.scope("edge", () => g.pad(long, [1, 0], [0, 0]))],
    ["ReduceMean", "pool", g2.scope("pool", () => g.reduceMean(long, [0]))],
  ] as const) {
    const { text, code } = refusal(() => g.gradients(g.sum(y), [long]));
    expect(code).toBe("BAD_GRAPH");
    expect(text).toContain(`the gradient of ${op} in ${layer}: the size "T" must be known when the graph is built`);
  }
});

test("only a float32 scalar has gradients", () => {
  const loss = graph.scope("head", () => g.exp(x));
  const { text, code } = refusal(() => g.gradients(loss, [x]));
  expect(code).toBe("BAD_GRAPH");
  expect(text).toMatch(/^Exp in head: only a float32 scalar has gradients\n.*float32\[\]\n.*float32\[2, 3\]\n.*mean/);
  expect(refusal(() => g.gradients(g.sum(g.cast(x, "int64")), [x])).text).toContain("got      int64[]");
});

test("an op without gradient is named with who uses it", () => {
  const g2 = new g.Graph();
  const table = g2.param("table", [5, 2]);
  const first = g2.scope("embed", () => g.sum(g.square(g.gather(table, g2.constant(i64([2], [1, 1]))))));
  const [dTable] = g.gradients(first, [table]);
  const second = g2.scope("penalty", () => g.sum(g.square(dTable)));
  const { text, code } = refusal(() => g.gradients(second, [table]));
  expect(code).toBe("BAD_GRAPH");
  expect(text).toContain("grad(embed): ScatterElements has no gradient");
  expect(text).toContain("float32[5, 2], used by Mul in penalty");
});

test("what the loss does not depend on is named", () => {
  expect(refusal(() => g.gradients(g.sum(x), [y])).text).toContain(`does not depend on "${y.name}"`);
  const flat = g.sum(g.mul(g.stopGradient(y), 2));
  expect(refusal(() => g.gradients(flat, [y])).text).toContain(`does not depend on "${y.name}"`);
});

test("names are used once and have no colon", () => {
  const g2 = new g.Graph();
  const a = g2.input("a", "float32", [1]);
  g2.param("w", [2, 3]);
  g2.output("out", a);
  expect(refusal(() => g2.input("a", "int64", []))).toEqual({
    text: 'the graph already has an input "a"',
    code: "BAD_GRAPH",
  });
  expect(refusal(() => g2.output("a", a)).text).toContain('already has an input "a"');
  expect(refusal(() => g2.output("w", a)).text).toContain('already has a parameter "w"');
  expect(refusal(() => g2.output("out", a)).text).toContain('already has an output "out"');
  expect(refusal(() => g2.param("out", [1])).text).toContain('already has an output "out"');
  expect(refusal(() => g2.input("Add:3", "float32", [])).text).toContain('"Add:3"');
  expect(refusal(() => g2.input("", "float32", [])).text).toContain('""');
});

test("a parameter has one shape", () => {
  const g2 = new g.Graph();
  const build = (shape: number[]) => g2.scope("layers.0", () => g2.param("weight", shape));
  expect(build([2, 3])).toBe(build([2, 3]));
  expect(refusal(() => build([3, 2]))).toEqual({
    text: "layers.0.weight: parameter asked for with two shapes\n  expected [2, 3]\n  got      [3, 2]",
    code: "BAD_GRAPH",
  });
});

test("two graphs do not mix", () => {
  const other = new g.Graph();
  const stranger = other.input("stranger", "float32", [2, 3]);
  const { text, code } = refusal(() => graph.scope("block", () => g.add(x, stranger)));
  expect(code).toBe("BAD_GRAPH");
  expect(text).toContain("Add in block: tensors of two graphs are mixed");
  expect(text).toContain('"stranger" float32[2, 3]');
  expect(refusal(() => graph.output("o", stranger)).text).toContain('output "o" belongs to another graph');
});

test("scalars must fit their dtype", () => {
  expect(refusal(() => graph.scope("scale", () => g.mul(ids, 0.5))).text).toContain(
    "scale: 0.5 is no constant of type int64",
  );
  expect(refusal(() => g.mul(g.cast(x, "float16"), 2)).text).toContain("2 is no constant of type float16");
  expect(refusal(() => g.add(1, 2)).text).toContain("Add of two numbers");
});

test("a named size that no tensor has cannot be made", () => {
  const g2 = new g.Graph();
  const z = g2.input("z", "float32", ["B*T", 6]);
  expect(refusal(() => g.reshape(z, ["B", "T", 6])).text).toMatch(
    /no tensor of the graph has the size "B"\n.*\n.*B\*T/,
  );
});
