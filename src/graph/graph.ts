/**
 * Describes computations as graphs of ONNX operators. Knows shapes and layer names; runs nothing.
 * A tensor is a promise of an array: dtype, shape, and the node that will produce it.
 */
import { type DType, fail, type NdArray, nd, sizeOf } from "../base/index.ts";

/** A size: a number, or a name for a size known only when the graph runs ("text", "past+text"). */
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface Tensor {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Absent for inputs, parameters and constants. */
  readonly node?: Node;
}

export type Attribute = { int: number } | { float: number } | { string: string } | { ints: readonly number[] };
export type Attributes = Readonly<Record<string, Attribute>>;

/** One ONNX operator application. `layer` is the scope path it was made in, for error messages and profiles. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly layer: string;
}

/** How a parameter starts when it is trained from scratch. Standard deviations follow the Phi and taming conventions. */
export type Init = { normal: number } | { uniform: number } | { constant: number };

export interface Param {
  readonly tensor: Tensor;
  readonly init: Init;
}

export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;
/** "float32[batch, 3]". */
export const showType = (t: { dtype: DType; shape: Shape }): string => `${t.dtype}${showShape(t.shape)}`;

export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Tensor>();
  readonly params = new Map<string, Param>();
  readonly constants = new Map<Tensor, NdArray>();
  readonly outputs = new Map<string, Tensor>();
  private readonly path: string[] = [];
  private readonly scalars = new Map<string, Tensor>();
  private count = 0;

  /** Dotted path of the scopes that are open now: "showo.model.layers.0". */
  get layer(): string {
    return this.path.join(".");
  }

  /** Runs `build` with `name` (dots allowed) added to the path that parameters take their names from. */
  scope<T>(name: string | number, build: () => T): T {
    this.path.push(String(name));
    try {
      return build();
    } finally {
      this.path.pop();
    }
  }

  input(name: string, dtype: DType, shape: Shape): Tensor {
    this.checkName(name);
    const tensor: Tensor = { graph: this, name, dtype, shape };
    this.inputs.set(name, tensor);
    return tensor;
  }

  /**
   * A stored array named after the scope, float32 unless it is for inference only. Asking twice for a name gives the same
   * tensor (weight sharing).
   */
  param(name: string, shape: readonly number[], init: Init = { normal: 0.02 }, dtype: DType = "float32"): Tensor {
    const full = this.path.length ? `${this.layer}.${name}` : name;
    const known = this.params.get(full);
    if (known) {
      if (known.tensor.shape.join() !== shape.join())
        fail("parameter asked for with two shapes", {
          where: full,
          expected: showShape(known.tensor.shape),
          got: showShape(shape),
          code: "BAD_GRAPH",
        });
      return known.tensor;
    }
    this.checkName(full);
    const tensor: Tensor = { graph: this, name: full, dtype, shape };
    this.params.set(full, { tensor, init });
    return tensor;
  }

  constant(value: NdArray): Tensor {
    const tensor: Tensor = { graph: this, name: `const:${this.count++}`, dtype: value.dtype, shape: value.shape };
    this.constants.set(tensor, value);
    return tensor;
  }

  /** A rank-0 constant; equal ones are shared. */
  scalar(value: number, dtype: DType = "float32"): Tensor {
    const key = `${dtype}:${value}`;
    let tensor = this.scalars.get(key);
    if (!tensor) {
      const fits = dtype === "float32" || (dtype !== "float16" && Number.isInteger(value));
      if (!fits)
        fail(`${value} is no constant of type ${dtype}`, {
          where: this.layer || undefined,
          hint: "Cast the other side to float32 first.",
          code: "BAD_GRAPH",
        });
      const array = nd(dtype, []);
      if (array.data instanceof BigInt64Array) array.data[0] = BigInt(value);
      else array.data[0] = value;
      this.scalars.set(key, (tensor = this.constant(array)));
    }
    return tensor;
  }

  output(name: string, tensor: Tensor): Tensor {
    if (tensor.graph !== this) fail(`output "${name}" belongs to another graph`, { code: "BAD_GRAPH" });
    this.checkName(name);
    this.outputs.set(name, tensor);
    return tensor;
  }

  /** Inputs, parameters and outputs share one space of names; tensors made by the graph have a colon in theirs. */
  private checkName(name: string): void {
    const kind = this.inputs.has(name) ? "an input" : this.params.has(name) ? "a parameter" : "an output";
    if (kind !== "an output" || this.outputs.has(name))
      fail(`the graph already has ${kind} "${name}"`, { code: "BAD_GRAPH" });
    if (!name || name.includes(":"))
      fail("this is no name for an input, parameter or output", {
        expected: "some text without a colon",
        got: JSON.stringify(name),
        code: "BAD_GRAPH",
      });
  }

  /** Appends a node whose outputs have the given types. Shapes were checked by the op table. */
  append(
    op: string,
    inputs: readonly (Tensor | undefined)[],
    attributes: Attributes,
    types: readonly { dtype: DType; shape: Shape }[],
  ): readonly Tensor[] {
    const stranger = inputs.find((input) => input && input.graph !== this);
    if (stranger)
      fail("tensors of two graphs are mixed", {
        where: this.layer ? `${op} in ${this.layer}` : op,
        got: `"${stranger.name}" ${showType(stranger)} of another graph`,
        code: "BAD_GRAPH",
      });
    const outputs: Tensor[] = [];
    const node: Node = { op, inputs, outputs, attributes, layer: this.layer };
    for (const type of types) outputs.push({ graph: this, name: `${op}:${this.count++}`, ...type, node });
    this.nodes.push(node);
    return outputs;
  }

  /** Nodes that the outputs need, in an order in which they can run. */
  reachable(outputs: Iterable<Tensor> = this.outputs.values()): Node[] {
    const needed = new Set<Node>();
    const stack = [...outputs].map((t) => t.node);
    while (stack.length) {
      const node = stack.pop();
      if (!node || needed.has(node)) continue;
      needed.add(node);
      for (const input of node.inputs) stack.push(input?.node);
    }
    return this.nodes.filter((node) => needed.has(node));
  }

  /** Number of trained values. */
  get paramCount(): number {
    let n = 0;
    for (const { tensor } of this.params.values()) n += sizeOf(tensor.shape as number[]);
    return n;
  }
}
