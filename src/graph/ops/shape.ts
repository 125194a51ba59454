/** Moves values without changing them. */
import { f32, fail, i64, nd, sizeOf } from "../../base/index.ts";
import { apply } from "../apply.ts";
import { addDims, divideSizes, isNumber } from "../dims.ts";
import { type Dim, type Shape, showShape, type Tensor } from "../graph.ts";
import { axisOf, broadcast, defineOps, OPEN, readers } from "../table.ts";
import { sumTo } from "./elementwise.ts";

export const shapeOps = defineOps({
  Reshape: {
    infer({ inputs: [x], sizes, int, refuse }) {
      const target = sizes(1);
      const shape = target.map((d, i) => (d === 0 && !int("allowzero", 0) ? x.shape[i] : d));
      const hole = shape.indexOf(-1);
      const rest = divideSizes(x.shape, hole < 0 ? shape : shape.toSpliced(hole, 1));
      if (hole < 0 && rest !== 1) refuse(`as many elements as ${showShape(target)} has`);
      if (hole >= 0) shape[hole] = rest ?? refuse(`a size that ${showShape(target)} divides`);
      return { dtype: x.dtype, shape };
    },
    gradient: ({ inputs: [x], grads: [g] }) => reshape(g!, x.shape),
  },
  Transpose: {
    infer({ inputs: [x], ints, refuse }) {
      const perm = ints("perm");
      if ([...perm].sort((a, b) => a - b).join() !== x.shape.map((_, i) => i).join())
        refuse(`a permutation of ${x.shape.length} axes, not ${perm}`);
      return { dtype: x.dtype, shape: perm.map((p) => x.shape[p]) };
    },
    gradient: ({ grads: [g], ints }) => {
      const perm = ints("perm");
      return transpose(
        g!,
        perm.map((_, i) => perm.indexOf(i)),
      );
    },
  },
  Concat: {
    infer({ inputs, int, refuse }) {
      const axis = axisOf(int("axis"), inputs[0].shape.length, refuse);
      const shape = [...inputs[0].shape];
      for (const x of inputs.slice(1)) {
        if (
          x.dtype !== inputs[0].dtype ||
          x.shape.length !== shape.length ||
          x.shape.some((d, i) => i !== axis && d !== shape[i])
        )
          refuse(`tensors alike but for axis ${axis}`);
        shape[axis] = addDims(shape[axis], x.shape[axis]);
      }
      return { dtype: inputs[0].dtype, shape };
    },
    gradient({ inputs, grads: [g], int, fixed }) {
      const axis = int("axis");
      let start = 0;
      return inputs.map((x) => {
        const width = fixed(x.shape.at(axis)!);
        start += width;
        return slice(g!, axis, start - width, start);
      });
    },
  },
  Slice: {
    infer({ inputs: [x], constant, refuse }) {
      const [starts, ends, axes] = [constant(1), constant(2), constant(3)];
      const shape = [...x.shape];
      for (const [i, axis] of axes.entries()) {
        const at = axisOf(axis, shape.length, refuse);
        const size = shape[at];
        if (!isNumber(size)) {
          const cut = sliceOfNamed(size, starts[i], ends[i]);
          if (isNumber(cut) && cut < 0) refuse(`a slice of axis ${at}, not ${starts[i]}..${ends[i]}`);
          shape[at] = cut;
          continue;
        }
        const from = starts[i] < 0 ? size + starts[i] : starts[i];
        const to = Math.min(ends[i] < 0 ? size + ends[i] : ends[i], size);
        if (from < 0 || to < from) refuse(`a slice inside 0..${size} of axis ${at}, not ${starts[i]}..${ends[i]}`);
        shape[at] = to - from;
      }
      return { dtype: x.dtype, shape };
    },
    gradient({ inputs: [x], grads: [g], constant, fixed }) {
      const [starts, ends, axes] = [constant(1), constant(2), constant(3)];
      const before = x.shape.map(() => 0);
      const after = x.shape.map(() => 0);
      for (const [i, axis] of axes.entries()) {
        const at = axis < 0 ? axis + x.shape.length : axis;
        const size = fixed(x.shape[at]);
        before[at] = starts[i] < 0 ? size + starts[i] : starts[i];
        after[at] = size - Math.min(ends[i] < 0 ? size + ends[i] : ends[i], size);
      }
      return [pad(g!, before, after)];
    },
  },
  Pad: {
    infer({ inputs: [x], constant, refuse }) {
      const pads = constant(1);
      if (pads.length !== 2 * x.shape.length || pads.some((p) => p < 0)) refuse("two non-negative pads per axis");
      return { dtype: x.dtype, shape: x.shape.map((d, i) => addDims(addDims(pads[i], d), pads[i + x.shape.length])) };
    },
    gradient({ inputs: [x], grads: [g], constant, fixed }) {
      const pads = constant(1);
      let out = g!;
      for (const [i, d] of x.shape.entries())
        if (pads[i] || pads[i + x.shape.length]) out = slice(out, i, pads[i], pads[i] + fixed(d));
      return [out];
    },
  },
  Expand: {
    infer({ inputs: [x], sizes, refuse }) {
      const target = sizes(1);
      const shape = broadcast(x.shape, target) ?? refuse(`a shape that broadcasts to ${showShape(target)}`);
      return { dtype: x.dtype, shape };
    },
    gradient: ({ inputs: [x], grads: [g] }) => [sumTo(g!, x.shape)],
  },
  /** Sizes of the axes from `start` to before `end`. */
  Shape: {
    infer: ({ inputs: [x], int }) => ({
      dtype: "int64",
      shape: [x.shape.slice(int("start", 0), int("end", OPEN)).length],
    }),
    flat: true,
  },
});

/** Size of a slice of an axis that is assumed long enough for it. */
function sliceOfNamed(size: string, start: number, end: number): Dim {
  const stop = end === OPEN ? 0 : end;
  const fromEnd = end === OPEN || end < 0;
  if (fromEnd === start < 0) return stop - start;
  return fromEnd ? addDims(size, stop - start) : `${size}[${start}:${end}]`;
}

/** The number behind a size, where a builder needs one. */
export const staticDim = (d: Dim, who: string, layer = ""): number => readers(who, layer, [], {}).fixed(d);

const ints = (x: Tensor, values: readonly number[]) => x.graph.constant(i64([values.length], values));

/** A shape as an int64 vector, its named sizes read when the graph runs from a tensor that has them. */
function shapeVector(x: Tensor, shape: Shape): Tensor {
  return concat(
    shape.map((d) => (isNumber(d) ? ints(x, [d]) : readSize(x, d))),
    0,
  );
}

function readSize(x: Tensor, size: string): Tensor {
  const { graph } = x;
  const candidates = [x, ...graph.inputs.values(), ...graph.nodes.flatMap((node) => node.outputs)];
  const source =
    candidates.find((t) => t.shape.includes(size)) ??
    fail(`no tensor of the graph has the size "${size}"`, {
      where: graph.layer,
      expected: "the size of an axis of an input",
      got:
        [...new Set(candidates.flatMap((t) => t.shape.filter((d) => !isNumber(d))))].join(", ") || "fixed sizes only",
      code: "BAD_GRAPH",
    });
  const axis = source.shape.indexOf(size);
  return apply("Shape", [source], { start: { int: axis }, end: { int: axis + 1 } })[0];
}

/** `shape` may hold named sizes, and one -1 for what is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  // What was reshaped before is reshaped once, from its source: a node costs microseconds, which count in a pass of a token.
  const sources = x.node?.op === "Reshape" ? [x.node.inputs[0]!, x] : [x];
  for (const source of sources) {
    if (shape.length === source.shape.length && shape.every((d, i) => d === source.shape[i])) return source;
    const target = shape.map((d, i) => (isNumber(d) ? d : d === source.shape[i] ? 0 : -1));
    if (target.filter((d) => d === -1).length <= 1) return apply("Reshape", [source, ints(source, target)])[0];
  }
  // Explicit sizes, because a 0 read when the graph runs must not mean "as before".
  return apply("Reshape", [x, shapeVector(x, shape)], { allowzero: { int: 1 } })[0];
}

export const transpose = (x: Tensor, perm: readonly number[]) => apply("Transpose", [x], { perm: { ints: perm } })[0];

/** Swaps the last two axes. */
export function transposeLast(x: Tensor): Tensor {
  const r = x.shape.length;
  return transpose(
    x,
    x.shape.map((_, i) => (i === r - 1 ? r - 2 : i === r - 2 ? r - 1 : i)),
  );
}

export const concat = (xs: readonly Tensor[], axis: number) =>
  xs.length === 1 ? xs[0] : apply("Concat", xs, { axis: { int: axis } })[0];

/** Values start ... end-1 of one axis; negative counts from the end, no `end` means to the end. */
export const slice = (x: Tensor, axis: number, start: number, end: number = OPEN) =>
  apply("Slice", [x, ints(x, [start]), ints(x, [end]), ints(x, [axis])])[0];

/** The first element of every axis but the first one: [N, ...] -> [N, 1, ...]. */
export function firstOf(x: Tensor): Tensor {
  const axes = x.shape.slice(1).map((_, i) => i + 1);
  const all = (value: number) => axes.map(() => value);
  return apply("Slice", [x, ints(x, all(0)), ints(x, all(1)), ints(x, axes)])[0];
}

/** Equal parts along an axis. */
export function split(x: Tensor, axis: number, parts: number): Tensor[] {
  const { fixed, refuse } = readers("split", x.graph.layer, [x], {});
  const size = fixed(x.shape.at(axisOf(axis, x.shape.length, refuse))!) / parts;
  if (!Number.isInteger(size)) refuse(`an axis ${axis} that ${parts} parts divide`);
  return Array.from({ length: parts }, (_, i) => slice(x, axis, i * size, (i + 1) * size));
}

/** Adds zeros (or `value`) before and after each axis. */
export const pad = (x: Tensor, before: readonly number[], after: readonly number[], value = 0) =>
  [...before, ...after].every((p) => p === 0)
    ? x
    : apply("Pad", [x, ints(x, [...before, ...after]), x.graph.scalar(value, x.dtype)])[0];

/** Repeats along axes of size 1 and new axes in front. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.shape.length;
  const target = shape.map((d, i) => (!isNumber(d) && d === x.shape[i - lead] ? 1 : d));
  return apply("Expand", [x, target.every(isNumber) ? ints(x, target) : shapeVector(x, target)])[0];
}

/** A float32 constant of one value everywhere. */
export const filled = (like: Tensor, shape: readonly number[], value: number): Tensor =>
  like.graph.constant(nd("float32", shape, f32([sizeOf(shape)]).data.fill(value)));
