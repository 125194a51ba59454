/** One value in, one value out: arithmetic, activations, comparisons, choice. */
import { type DType, fail, sizeOf } from "../../base/index.ts";
import { apply } from "../apply.ts";
import { isNumber } from "../dims.ts";
import type { Shape, Tensor } from "../graph.ts";
import { broadcast, defineOps, type GradContext, type InferContext, type OpDef } from "../table.ts";
import { columnSums } from "./matmul.ts";
import { reduceSum } from "./reduce.ts";
import { reshape } from "./shape.ts";

/** Sums a gradient over the axes along which `shape` was broadcast. */
export function sumTo(grad: Tensor, shape: Shape): Tensor {
  const lead = grad.shape.length - shape.length;
  const axes = grad.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  if (!axes.length) return grad;
  const rest = grad.shape.slice(axes.length);
  if (rest.length && axes.at(-1) === axes.length - 1 && grad.shape.every(isNumber))
    return reshape(columnSums(reshape(grad, [-1, sizeOf(rest as number[])])), shape);
  return reshape(reduceSum(grad, axes, true), shape);
}

const sameType = ({ inputs }: InferContext) => ({ dtype: inputs[0].dtype, shape: inputs[0].shape });

function binaryType(context: InferContext, dtype?: DType) {
  const [a, b] = context.inputs;
  const shape = broadcast(a.shape, b.shape) ?? context.refuse("shapes that broadcast");
  if (a.dtype !== b.dtype) context.refuse("two tensors of one dtype");
  return { dtype: dtype ?? a.dtype, shape };
}

const binary = (
  gradient: (c: GradContext & { g: Tensor; a: Tensor; b: Tensor }) => [() => Tensor, () => Tensor],
): OpDef => ({
  infer: (context) => binaryType(context),
  gradient(c) {
    const [a, b] = c.inputs;
    const rules = gradient({ ...c, g: c.grads[0]!, a, b });
    return [0, 1].map((i) => (c.wants(i) ? sumTo(rules[i](), c.inputs[i].shape) : undefined));
  },
});

const floatType = (context: InferContext) =>
  context.inputs[0].dtype.startsWith("float") ? sameType(context) : context.refuse("a float tensor");

const boolType = (context: InferContext) =>
  context.inputs.every((t) => t.dtype === "bool") ? binaryType(context) : context.refuse("bool tensors");

const unary = (gradient: (g: Tensor, x: Tensor, y: Tensor) => Tensor, infer: OpDef["infer"] = floatType): OpDef => ({
  infer,
  gradient: (c) => gradient(c.grads[0]!, c.inputs[0], c.outputs[0]),
});

const compare: OpDef = { infer: (c) => binaryType(c, "bool"), flat: true };

export const elementwiseOps = defineOps({
  Add: binary(({ g }) => [() => g, () => g]),
  Sub: binary(({ g }) => [() => g, () => neg(g)]),
  Mul: binary(({ g, a, b }) => [() => mul(g, b), () => mul(g, a)]),
  Div: binary(({ g, b, outputs: [y] }) => [() => div(g, b), () => neg(div(mul(g, y), b))]),
  // Ties send the gradient to the first input only.
  Max: binary(({ g, a, b }) => [
    () => mul(g, cast(not(less(a, b)), "float32")),
    () => mul(g, cast(less(a, b), "float32")),
  ]),
  Min: binary(({ g, a, b }) => [
    () => mul(g, cast(not(less(b, a)), "float32")),
    () => mul(g, cast(less(b, a), "float32")),
  ]),
  Neg: unary((g) => neg(g), sameType),
  Exp: unary((g, _x, y) => mul(g, y)),
  Log: unary((g, x) => div(g, x)),
  Sqrt: unary((g, _x, y) => div(mul(g, 0.5), y)),
  Reciprocal: unary((g, _x, y) => neg(mul(g, mul(y, y)))),
  Abs: unary((g, x) => mul(g, sign(x)), sameType),
  Tanh: unary((g, _x, y) => mul(g, sub(1, mul(y, y)))),
  Sigmoid: unary((g, _x, y) => mul(g, mul(y, sub(1, y)))),
  Relu: unary((g, x) => mul(g, cast(greater(x, 0), "float32"))),
  Sin: unary((g, x) => mul(g, cos(x))),
  Cos: unary((g, x) => neg(mul(g, sin(x)))),
  /** Tanh approximation (gelu_new). Backward uses x*sigmoid(2u), the same function with fewer passes over memory. */
  Gelu: unary((g, x, y) => {
    const [c, k] = [2 * Math.sqrt(2 / Math.PI), 0.044715];
    const xx = mul(x, x);
    const s = sigmoid(mul(x, add(mul(xx, c * k), c)));
    const bend = mul(sub(y, mul(y, s)), add(mul(xx, 3 * c * k), c));
    return mul(g, add(s, bend));
  }),
  /** Passes values on and gradients not: see `stopGradient`. */
  Identity: { infer: sameType, flat: true },
  Sign: { infer: sameType, flat: true },
  Floor: { infer: sameType, flat: true },
  Not: { infer: (c) => (c.inputs[0].dtype === "bool" ? sameType(c) : c.refuse("a bool tensor")), flat: true },
  And: { infer: boolType, flat: true },
  Or: { infer: boolType, flat: true },
  Equal: compare,
  Less: compare,
  Greater: compare,
  Cast: {
    infer: ({ inputs: [x], int }) => ({ dtype: CAST_FROM[int("to")], shape: x.shape }),
    gradient: (c) => (c.inputs[0].dtype === "float32" ? c.grads[0]! : []),
  },
  Where: {
    infer(context) {
      const [condition, a, b] = context.inputs;
      if (condition.dtype !== "bool" || a.dtype !== b.dtype)
        context.refuse("a bool condition and two tensors of one dtype");
      const ab = broadcast(a.shape, b.shape);
      const shape = (ab && broadcast(condition.shape, ab)) ?? context.refuse("shapes that broadcast");
      return { dtype: a.dtype, shape };
    },
    gradient({ inputs: [condition, a, b], grads: [g], wants }) {
      return [
        undefined,
        wants(1) ? sumTo(where(condition, g!, 0), a.shape) : undefined,
        wants(2) ? sumTo(where(condition, 0, g!), b.shape) : undefined,
      ];
    },
  },
});

/** ONNX TensorProto.DataType numbers. */
export const ONNX_TYPE: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};
const CAST_FROM = Object.fromEntries(Object.entries(ONNX_TYPE).map(([k, v]) => [v, k as DType]));

/** A tensor, or a number that becomes a scalar constant of the other side's dtype. */
export type Operand = Tensor | number;

function pair(op: string, a: Operand, b: Operand): Tensor {
  const tensor = typeof a === "object" ? a : b;
  if (typeof tensor === "number") fail(`${op} of two numbers has no graph`, { code: "BAD_GRAPH" });
  const lift = (x: Operand) => (typeof x === "number" ? tensor.graph.scalar(x, tensor.dtype) : x);
  return apply(op, [lift(a), lift(b)])[0];
}

export const add = (a: Operand, b: Operand) => pair("Add", a, b);
export const sub = (a: Operand, b: Operand) => pair("Sub", a, b);
export const mul = (a: Operand, b: Operand) => pair("Mul", a, b);
export const div = (a: Operand, b: Operand) => pair("Div", a, b);
export const maximum = (a: Operand, b: Operand) => pair("Max", a, b);
export const minimum = (a: Operand, b: Operand) => pair("Min", a, b);
export const equal = (a: Operand, b: Operand) => pair("Equal", a, b);
export const less = (a: Operand, b: Operand) => pair("Less", a, b);
export const greater = (a: Operand, b: Operand) => pair("Greater", a, b);
export const and = (a: Tensor, b: Tensor) => apply("And", [a, b])[0];
export const or = (a: Tensor, b: Tensor) => apply("Or", [a, b])[0];
export const neg = (x: Tensor) => apply("Neg", [x])[0];
export const exp = (x: Tensor) => apply("Exp", [x])[0];
export const log = (x: Tensor) => apply("Log", [x])[0];
export const sqrt = (x: Tensor) => apply("Sqrt", [x])[0];
export const reciprocal = (x: Tensor) => apply("Reciprocal", [x])[0];
export const abs = (x: Tensor) => apply("Abs", [x])[0];
export const tanh = (x: Tensor) => apply("Tanh", [x])[0];
export const sigmoid = (x: Tensor) => apply("Sigmoid", [x])[0];
export const relu = (x: Tensor) => apply("Relu", [x])[0];
export const sin = (x: Tensor) => apply("Sin", [x])[0];
export const cos = (x: Tensor) => apply("Cos", [x])[0];
export const gelu = (x: Tensor) => apply("Gelu", [x], { approximate: { string: "tanh" } })[0];
export const sign = (x: Tensor) => apply("Sign", [x])[0];
export const floor = (x: Tensor) => apply("Floor", [x])[0];
export const not = (x: Tensor) => apply("Not", [x])[0];
/** The same values, but no gradient flows back through them. */
export const stopGradient = (x: Tensor) => apply("Identity", [x])[0];
export const square = (x: Tensor) => mul(x, x);
/** x * sigmoid(x). */
export const silu = (x: Tensor) => mul(x, sigmoid(x));
export const cast = (x: Tensor, dtype: DType) =>
  x.dtype === dtype ? x : apply("Cast", [x], { to: { int: ONNX_TYPE[dtype] } })[0];

export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const tensor = (typeof a === "object" ? a : typeof b === "object" ? b : undefined) as Tensor | undefined;
  const lift = (x: Operand) => (typeof x === "number" ? condition.graph.scalar(x, tensor?.dtype ?? "float32") : x);
  return apply("Where", [condition, lift(a), lift(b)])[0];
}
