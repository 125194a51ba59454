/** What the op table says of one ONNX operator, and how a node is made from it. */
import { type DType, type ErrorCode, fail } from "../base/index.ts";
import { isNumber } from "./dims.ts";
import { type Attributes, type Dim, type Graph, type Shape, showType, type Tensor } from "./graph.ts";

export interface TensorType {
  dtype: DType;
  shape: Shape;
}

/** What shape inference and gradient rules read of a node. */
export interface Readers {
  int(name: string, fallback?: number): number;
  ints(name: string, fallback?: readonly number[]): readonly number[];
  /** The value of an input that must be a constant (axes, pads). */
  constant(index: number): number[];
  /** The value of an input that holds a shape: a constant, or sizes read when the graph runs. */
  sizes(index: number): Dim[];
  /** The number behind a size; refuses a named one. */
  fixed(size: Dim): number;
  has(index: number): boolean;
  /** Refuses the inputs: says the op, its layer, what it takes and what came. */
  refuse(expected: string): never;
}

/** What shape inference sees. */
export interface InferContext extends Readers {
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
}

/** What a gradient rule sees: `grads[i]` is the gradient of output i, absent where nobody used it. */
export interface GradContext extends Readers {
  readonly graph: Graph;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly grads: readonly (Tensor | undefined)[];
  /** Whether input i leads to a tensor whose gradient is wanted; rules may skip the others. */
  wants(index: number): boolean;
}

/** One row of the op table. No `gradient`: the op is not differentiable, and backward says so. */
export interface OpDef {
  infer(context: InferContext): TensorType | readonly TensorType[];
  gradient?(context: GradContext): readonly (Tensor | undefined)[] | Tensor;
  /** True when the outputs are constant almost everywhere, so that gradients stop here silently. */
  flat?: boolean;
  /** Outputs from this one on may be left out of the file when nobody reads them. Default: none may. */
  optionalOutputs?: number;
  /** Operator set of contrib operators; absent for standard ONNX. */
  domain?: "com.microsoft";
}

export const defineOps = <T extends Record<string, OpDef>>(ops: T): T => ops;

/** Reads attributes and constant inputs of a node. */
export function readers(
  op: string,
  layer: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Attributes,
): Readers {
  const where = layer ? `${op} in ${layer}` : op;
  const bad = (what: string, expected?: string, code: ErrorCode = "BAD_GRAPH") =>
    fail(what, {
      where,
      expected,
      got: inputs.map((t) => (t ? showType(t) : "-")).join(", ") || undefined,
      code,
    });
  return {
    int(name: string, fallback?: number): number {
      const value = attributes[name];
      if (value && "int" in value) return value.int;
      return fallback ?? bad(`attribute "${name}" is missing`);
    },
    ints(name: string, fallback?: readonly number[]): readonly number[] {
      const value = attributes[name];
      if (value && "ints" in value) return value.ints;
      return fallback ?? bad(`attribute "${name}" is missing`);
    },
    constant: (index: number): number[] => constantOf(inputs[index]) ?? bad(`input ${index} must be a constant`),
    sizes: (index: number): Dim[] => sizesIn(inputs[index]) ?? bad(`input ${index} must hold sizes`),
    fixed: (size: Dim): number =>
      isNumber(size) ? size : bad(`the size "${size}" must be known when the graph is built`, "a number"),
    has: (index: number) => inputs[index] !== undefined,
    refuse: (expected: string): never => bad("these inputs do not fit", expected),
  };
}

const constantOf = (tensor: Tensor | undefined): number[] | undefined => {
  const value = tensor?.graph.constants.get(tensor);
  return value && Array.from(value.data as ArrayLike<number | bigint>, Number);
};

/** Sizes that an int64 vector will hold, followed through the Shape and Concat nodes that read and join them. */
function sizesIn(tensor: Tensor | undefined): Dim[] | undefined {
  const node = tensor?.node;
  if (node?.op === "Shape") {
    const { int } = readers("Shape", node.layer, node.inputs, node.attributes);
    return node.inputs[0]?.shape.slice(int("start", 0), int("end", OPEN));
  }
  if (node?.op !== "Concat") return constantOf(tensor);
  const parts = node.inputs.map(sizesIn);
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

/** An end that no axis reaches. */
export const OPEN = 2 ** 31 - 1;

/** NumPy broadcasting; undefined when the shapes do not fit. */
export function broadcast(a: Shape, b: Shape): Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** Axis counted from the front; refuses one that is out of range. */
export function axisOf(axis: number, rank: number, refuse: (expected: string) => never): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank) refuse(`an axis from ${-rank} to ${rank - 1}, not ${axis}`);
  return positive;
}
