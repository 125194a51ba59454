/** The writer against an independent reader of ONNX files, and our reader against the same. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { expect, test } from "vitest";
import { BYTES, bool, type DType, FewstepError, f32, i64, type NdArray, nd } from "../base/index.ts";
import { apply, OPS } from "../graph/apply.ts";
import * as g from "../graph/index.ts";
import { openSession } from "../runtime/index.ts";
import { type OnnxModel, printOnnx, readOnnx, writeOnnx } from "./index.ts";

/** A contrib operator, to see domains pass through. */
OPS.set("QuickGelu", { infer: ({ inputs: [x] }) => ({ dtype: x.dtype, shape: x.shape }), domain: "com.microsoft" });

const WEIGHT = f32([2, 3], [1, -2, 3.5, 0, 1e-20, -1e20]);

/** Every attribute kind, both domains, an absent optional input, weights inside, outside and fed, aliased outputs. */
function everything() {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", "past+text", 3]);
  const spare = graph.input("spare", "int64", ["B"]);
  graph.input("unread", "float32", [7]);
  graph.output("last ids", spare);
  graph.scope("block.0", () => {
    const inside = graph.param("inside", [2, 3]);
    const y = g.layerNormalization(x, graph.param("gain", [3]), undefined, 1e-5);
    const [soft] = apply("QuickGelu", [g.gelu(y)], { alpha: { float: -1.5 } });
    const rows = g.gemm(g.reshape(soft, [-1, 3]), inside, { transB: true });
    const clipped = apply("Clip", [rows, undefined, graph.scalar(6)])[0];
    graph.output("rows", clipped);
    graph.output("rows again", clipped);
    graph.output("weight itself", graph.param("outside", [4, 3]));
    graph.output("turned", g.transpose(g.cast(x, "float16"), [2, 0, 1]));
    graph.output("dropped", g.slice(x, -1, -2));
  });
  return graph;
}
OPS.set("Clip", { infer: ({ inputs: [x] }) => ({ dtype: x.dtype, shape: x.shape }) });

const weights = (name: string) =>
  name === "block.0.inside"
    ? WEIGHT
    : name === "block.0.outside"
      ? { location: "weights.bin", offset: 4096, length: 48 }
      : undefined;
const bytes = writeOnnx(everything(), { weights });
const foreign = fromBinary(ModelProtoSchema, bytes);
const own = readOnnx(bytes);

const foreignNode = (op: string): NodeProto => foreign.graph!.node.find((n) => n.opType === op)!;
const attribute = (op: string, name: string) => foreignNode(op).attribute.find((a) => a.name === name)!;
const ownNode = (model: OnnxModel, op: string) => model.graph.nodes.find((n) => n.op === op)!;

test("the independent reader finds nothing it does not know and writes the same model", () => {
  expect(foreign.$unknown).toBeUndefined();
  expect(foreign.irVersion).toBe(10n);
  expect(foreign.producerName).toBe("fewstep");
  expect(foreign.opsetImport.map((o) => [o.domain, o.version])).toEqual([
    ["", 21n],
    ["com.microsoft", 1n],
  ]);
  expect(readOnnx(toBinary(ModelProtoSchema, foreign))).toEqual(own);
});

test("every attribute kind arrives with its type", () => {
  const type = AttributeProto_AttributeType;
  expect([attribute("Gemm", "transB").type, attribute("Gemm", "transB").i]).toEqual([type.INT, 1n]);
  expect(ownNode(own, "Gemm").attributes.transB).toEqual({ int: 1 });
  expect(attribute("LayerNormalization", "axis").i).toBe(-1n);
  expect(ownNode(own, "LayerNormalization").attributes.axis).toEqual({ int: -1 });
  expect([attribute("QuickGelu", "alpha").type, attribute("QuickGelu", "alpha").f]).toEqual([type.FLOAT, -1.5]);
  expect(ownNode(own, "QuickGelu").attributes.alpha).toEqual({ float: -1.5 });
  expect(attribute("Gelu", "approximate").type).toBe(type.STRING);
  expect(new TextDecoder().decode(attribute("Gelu", "approximate").s)).toBe("tanh");
  expect(ownNode(own, "Gelu").attributes.approximate).toEqual({ string: "tanh" });
  expect([attribute("Transpose", "perm").type, attribute("Transpose", "perm").ints]).toEqual([type.INTS, [2n, 0n, 1n]]);
  expect(ownNode(own, "Transpose").attributes.perm).toEqual({ ints: [2, 0, 1] });
});

test("inputs and outputs keep names, dtypes and named sizes; what nobody reads is left out", () => {
  const infos = foreign.graph!.input.map(({ name, type }) => {
    const tensor = type!.value.case === "tensorType" ? type!.value.value : undefined;
    return [name, tensor!.elemType, tensor!.shape!.dim.map((d) => d.value.value)];
  });
  expect(infos).toEqual([
    ["x", 1, ["B", "past+text", 3n]],
    ["spare", 7, ["B"]],
    ["block.0.gain", 1, [3n]],
  ]);
  expect(own.graph.inputs).toEqual([
    { name: "x", dtype: "float32", shape: ["B", "past+text", 3] },
    { name: "spare", dtype: "int64", shape: ["B"] },
    { name: "block.0.gain", dtype: "float32", shape: [3] },
  ]);
  expect(own.graph.outputs.map((o) => [o.name, o.dtype, o.shape])).toEqual([
    ["last ids", "int64", ["B"]],
    ["rows", "float32", ["B*(past+text)", 2]],
    ["rows again", "float32", ["B*(past+text)", 2]],
    ["weight itself", "float32", [4, 3]],
    ["turned", "float16", [3, "B", "past+text"]],
    ["dropped", "float32", ["B", "past+text", 2]],
  ]);
});

test("outputs that are inputs, weights or other outputs pass through Identity", () => {
  const aliases = foreign.graph!.node.filter((n) => n.opType === "Identity").map((n) => [n.input, n.output]);
  expect(aliases).toEqual([
    [["spare"], ["last ids"]],
    [["rows"], ["rows again"]],
    [["block.0.outside"], ["weight itself"]],
  ]);
});

test("nodes carry layer, domain, absent inputs and only the outputs that are read", () => {
  expect(foreignNode("QuickGelu").domain).toBe("com.microsoft");
  expect(foreignNode("Gemm").domain).toBe("");
  expect(foreignNode("Gemm").name).toMatch(/^block\.0\/Gemm:\d+$/);
  expect(foreignNode("Clip").input.map((name) => name.replace(/\d+/, "N"))).toEqual(["Gemm:N", "", "const:N"]);
  expect(foreignNode("LayerNormalization").output.length).toBe(1);
});

test("outputs that an operator must have stay, read or not", async () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 5]);
  graph.output("best", g.topK(x, 1)[0]);
  graph.output("where", g.topK(x, 1)[1]);
  const program = await openSession(writeOnnx(graph), { threads: 1 });
  const out = await program.run({ x: f32([1, 5], [1, 2, 9, 4, 3]) });
  expect([out.best, out.where]).toEqual([f32([1, 1], [9]), i64([1, 1], [2])]);
  await program.dispose();
});

test("weights inside and outside the file", () => {
  const [inside, outside] = ["block.0.inside", "block.0.outside"].map(
    (name) => foreign.graph!.initializer.find((t) => t.name === name)!,
  );
  expect([inside.dims, inside.dataType]).toEqual([[2n, 3n], 1]);
  expect(new Float32Array(inside.rawData.slice().buffer)).toEqual(WEIGHT.data);
  expect(outside.dataLocation).toBe(TensorProto_DataLocation.EXTERNAL);
  expect(outside.externalData.map((e) => [e.key, e.value])).toEqual([
    ["location", "weights.bin"],
    ["offset", "4096"],
    ["length", "48"],
  ]);
  const ownInside = own.graph.initializers.find((t) => t.name === "block.0.inside")!;
  expect(new Float32Array(ownInside.raw!.slice().buffer)).toEqual(WEIGHT.data);
  expect(own.graph.initializers.find((t) => t.name === "block.0.outside")).toEqual({
    name: "block.0.outside",
    dtype: "float32",
    shape: [4, 3],
    bytes: 0,
    external: { location: "weights.bin", offset: 4096, length: 48 },
  });
});

test("constants of every dtype come out of ONNX Runtime as they went in", async () => {
  const values: Record<DType, NdArray> = {
    float32: f32([3], [1.5, -0, Number.POSITIVE_INFINITY]),
    float16: nd("float16", [2], Uint16Array.of(0x3c00, 0xc000)),
    int32: nd("int32", [2], Int32Array.of(-1, 2 ** 31 - 1)),
    int64: i64([2, 1], BigInt64Array.of(-(2n ** 63n), 2n ** 62n + 1n)),
    uint8: nd("uint8", [2], Uint8Array.of(0, 255)),
    int8: nd("int8", [2], Int8Array.of(-128, 127)),
    bool: bool([2], [true, false]),
  };
  const graph = new g.Graph();
  // A view of a larger buffer must not drag its neighbours along.
  values.uint8 = nd("uint8", [2], Uint8Array.of(9, 0, 255, 9).subarray(1, 3));
  for (const [dtype, value] of Object.entries(values)) graph.output(dtype, graph.constant(value));
  const program = await openSession(writeOnnx(graph), { threads: 1 });
  const out = await program.run({});
  for (const dtype of Object.keys(BYTES) as DType[]) {
    expect(out[dtype].dtype).toBe(dtype);
    expect(out[dtype].shape).toEqual(values[dtype].shape);
    expect([...out[dtype].data]).toEqual([...values[dtype].data]);
  }
  await program.dispose();
});

test("large weights come through whole beside small ones", () => {
  const graph = new g.Graph();
  const sizes = [1, 1023, 1024, 1025, 5000, 3, 40000];
  for (const [i, n] of sizes.entries()) graph.output(`o${i}`, g.neg(graph.param(`p${i}`, [n])));
  const value = (name: string) => {
    const n = sizes[Number(name.slice(1))];
    return f32(
      [n],
      Float32Array.from({ length: n }, (_, i) => i * 0.5 + n),
    );
  };
  const model = fromBinary(ModelProtoSchema, writeOnnx(graph, { weights: value }));
  for (const tensor of model.graph!.initializer)
    expect(new Float32Array(tensor.rawData.slice().buffer)).toEqual(value(tensor.name).data);
  expect(model.graph!.initializer.length).toBe(sizes.length);
});

function refusal(run: () => unknown): FewstepError {
  try {
    run();
  } catch (error) {
    if (error instanceof FewstepError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("weights that do not fit and graphs without outputs are refused", () => {
  const graph = new g.Graph();
  expect(refusal(() => writeOnnx(graph)).code).toBe("BAD_GRAPH");
  graph.output(
    "y",
    graph.scope("head", () => g.neg(graph.param("w", [2, 3]))),
  );
  const shape = refusal(() => writeOnnx(graph, { weights: () => f32([3, 2]) }));
  expect(shape.code).toBe("BAD_WEIGHTS");
  expect(shape.message).toMatch(/^head\.w: .*\n {2}expected float32\[2, 3\]\n {2}got {6}float32\[3, 2\]$/);
  expect(refusal(() => writeOnnx(graph, { weights: () => nd("int32", [2, 3]) })).message).toContain("int32[2, 3]");
  const outside = refusal(() => writeOnnx(graph, { weights: () => ({ location: "w.bin", offset: 0, length: 20 }) }));
  expect(outside.message).toContain("24 bytes for float32[2, 3]");
});

test("the listing of a file", () => {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 3]);
  graph.output(
    "y",
    graph.scope("head", () => g.softmax(g.gemm(x, graph.param("w", [2, 3]), { transB: true }))),
  );
  const file = writeOnnx(graph, { weights: () => f32([2, 3]) });
  expect(printOnnx(readOnnx(file)).split("\n")).toEqual([
    "ONNX IR 10 by fewstep, ai.onnx 21, com.microsoft 1",
    "input x  float32[B, 3]",
    "weight head.w  float32[2, 3]  24 bytes",
    "  Gemm:0 = Gemm(x, head.w, transA=0, transB=1)  # head/Gemm:0",
    "  y = Softmax(Gemm:0, axis=-1)  # head/Softmax:1",
    "output y  float32[B, 2]",
  ]);
  expect(printOnnx(own)).toContain("weight block.0.outside  float32[4, 3]  48 bytes at 4096 of weights.bin");
});

/** Reading either describes the bytes or refuses them with BAD_FILE. */
function readsOrRefuses(data: Uint8Array): void {
  try {
    printOnnx(readOnnx(data));
  } catch (error) {
    if (!(error instanceof FewstepError) || error.code !== "BAD_FILE") throw error;
  }
}

test("any bytes are described or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => readsOrRefuses(data)),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.nat(8), (at, put, drop) => {
      const data = new Uint8Array([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + drop)]);
      readsOrRefuses(data);
    }),
    { numRuns: 1000 },
  );
});

test("a model cut anywhere is refused", () => {
  // A cut may fall between two fields; what is left then still lacks an operator set, except at the last ones.
  const accepted = Array.from(bytes, (_, n) => n).filter((n) => {
    try {
      return readOnnx(bytes.subarray(0, n));
    } catch (error) {
      if (error instanceof FewstepError && error.code === "BAD_FILE") return false;
      throw error;
    }
  });
  expect(accepted.length).toBeLessThanOrEqual(1);
});

test("attributes of foreign files: lists, tensors and graphs that read what surrounds them", () => {
  const type = AttributeProto_AttributeType;
  const attribute = (fields: MessageInitShape<typeof AttributeProtoSchema>) => create(AttributeProtoSchema, fields);
  const inner = create(GraphProtoSchema, {
    node: [create(NodeProtoSchema, { opType: "Neg", input: ["x"], output: ["z"] })],
    output: [create(ValueInfoProtoSchema, { name: "z" })],
  });
  const tensor = create(TensorProtoSchema, { dims: [2n], dataType: 1, floatData: [1, 2], name: "t" });
  const node = create(NodeProtoSchema, {
    opType: "If",
    input: ["x"],
    output: ["y"],
    attribute: [
      attribute({ name: "floats", type: type.FLOATS, floats: [0.5, -2] }),
      attribute({ name: "strings", type: type.STRINGS, strings: [new TextEncoder().encode("a b")] }),
      attribute({ name: "tensor", type: type.TENSOR, t: tensor }),
      attribute({ name: "then_branch", type: type.GRAPH, g: inner }),
    ],
  });
  const file = (nodes: NodeProto[]) =>
    toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, {
        graph: create(GraphProtoSchema, { node: nodes, input: [create(ValueInfoProtoSchema, { name: "x" })] }),
        opsetImport: [create(OperatorSetIdProtoSchema, { version: 21n })],
      }),
    );
  const { attributes } = readOnnx(file([node])).graph.nodes[0];
  expect(attributes.floats).toEqual({ floats: [0.5, -2] });
  expect(attributes.strings).toEqual({ strings: ["a b"] });
  expect(attributes.tensor).toEqual({ tensor: { name: "t", dtype: "float32", shape: [2], bytes: 8 } });
  expect(attributes.then_branch).toMatchObject({ graph: { nodes: [{ op: "Neg", inputs: ["x"], outputs: ["z"] }] } });
  expect(printOnnx(readOnnx(file([node])))).toContain(
    "  y = If(x, floats=[0.5, -2], strings=[a b], tensor=float32[2], then_branch=graph of 1 nodes)",
  );
  inner.node[0].input[0] = "nobody";
  expect(refusal(() => readOnnx(file([node]))).message).toContain('reads "nobody"');
  let nested = inner;
  inner.node[0].input[0] = "x";
  for (let i = 0; i < 40; i++) {
    const wrapped = attribute({ name: "body", type: type.GRAPH, g: nested });
    nested = create(GraphProtoSchema, { node: [create(NodeProtoSchema, { opType: "Loop", attribute: [wrapped] })] });
  }
  expect(refusal(() => readOnnx(file(nested.node))).message).toContain("nested deeper than 32");
});

test("what is wrong with a file is said", () => {
  const change = (edit: (model: typeof foreign) => void) => {
    const model = fromBinary(ModelProtoSchema, bytes);
    edit(model);
    return refusal(() => readOnnx(toBinary(ModelProtoSchema, model), "net.onnx"));
  };
  const first = (model: typeof foreign) => model.graph!.node[0];
  const cases: [(model: typeof foreign) => void, string][] = [
    [(m) => (m.graph = undefined), "a model without graph"],
    [(m) => (m.opsetImport = []), "a model without operator set"],
    [(m) => (first(m).input[0] = "nobody"), 'reads "nobody", which nothing before it makes'],
    [(m) => (first(m).opType = ""), "has no operator"],
    [(m) => (m.graph!.node[1].output[0] = first(m).output[0]), "is made twice"],
    [(m) => m.graph!.output[0] && (m.graph!.output[0].name = "lost"), 'nothing makes the output "lost"'],
    [
      (m) => (m.graph!.initializer.find((t) => t.name === "block.0.inside")!.dims = [2n, 2n]),
      "24 bytes for float32[2,2]",
    ],
    [(m) => (m.graph!.initializer.find((t) => t.name === "block.0.inside")!.dims = [-6n, -1n]), "the shape [-6,-1]"],
    [
      (m) => (m.graph!.initializer.find((t) => t.name === "block.0.outside")!.externalData[1].value = "-1"),
      "the offset",
    ],
  ];
  for (const [edit, part] of cases) {
    const error = change(edit);
    expect(error.code).toBe("BAD_FILE");
    expect(error.message).toContain("net.onnx: not a well-formed ONNX model");
    expect(error.message).toContain(part);
  }
});
