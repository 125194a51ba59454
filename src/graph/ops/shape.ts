/** Moves values without changing them. */
import { f32, i64, nd, sizeOf } from "../../base/index.ts";
import { apply } from "../apply.ts";
import type { Dim, Shape, Tensor } from "../graph.ts";
import { addDims, axisOf, broadcast, defineOps } from "../table.ts";
import { sumTo } from "./elementwise.ts";

const isNumber = (d: Dim): d is number => typeof d === "number";

export const shapeOps = defineOps({
  Reshape: {
    infer({ inputs: [x], constant, refuse }) {
      const target = constant(1);
      const shape: Dim[] = target.map((d, i) => (d === 0 ? x.shape[i] : d));
      const hole = target.indexOf(-1);
      // Named sizes that appear on both sides cancel; what is left must divide.
      const rest = x.shape.filter((d) => !isNumber(d));
      for (const d of shape) if (!isNumber(d)) rest.splice(rest.indexOf(d), 1);
      const from = sizeOf(x.shape.filter(isNumber));
      const to = sizeOf(shape.filter((d): d is number => isNumber(d) && d !== -1));
      if (hole < 0 && (rest.length || from !== to)) refuse(`as many elements as ${JSON.stringify(target)} has`);
      if (hole >= 0) {
        if (from % to) refuse(`a size that ${JSON.stringify(target)} divides`);
        const factor = from / to;
        shape[hole] = rest.length === 0 ? factor : (factor === 1 ? "" : `${factor}*`) + rest.join("*");
      }
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
    gradient({ inputs, grads: [g], int }) {
      const axis = int("axis");
      let start = 0;
      return inputs.map((x) => {
        const width = staticDim(x.shape.at(axis)!, "the gradient of Concat");
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
          if (starts[i] >= 0 && ends[i] > starts[i] && ends[i] < OPEN) shape[at] = ends[i] - starts[i];
          else if (starts[i] < 0 && ends[i] === OPEN) shape[at] = -starts[i];
          else shape[at] = `${size}[${starts[i]}:${ends[i] === OPEN ? "" : ends[i]}]`;
          continue;
        }
        const from = starts[i] < 0 ? size + starts[i] : starts[i];
        const to = Math.min(ends[i] < 0 ? size + ends[i] : ends[i], size);
        if (from < 0 || to < from) refuse(`a slice inside 0..${size} of axis ${at}, not ${starts[i]}..${ends[i]}`);
        shape[at] = to - from;
      }
      return { dtype: x.dtype, shape };
    },
    gradient({ inputs: [x], grads: [g], constant }) {
      const [starts, ends, axes] = [constant(1), constant(2), constant(3)];
      const before = x.shape.map(() => 0);
      const after = x.shape.map(() => 0);
      for (const [i, axis] of axes.entries()) {
        const at = axis < 0 ? axis + x.shape.length : axis;
        const size = staticDim(x.shape[at], "the gradient of Slice");
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
    gradient({ inputs: [x], grads: [g], constant }) {
      const pads = constant(1);
      let out = g!;
      for (const [i, d] of x.shape.entries())
        if (pads[i] || pads[i + x.shape.length])
          out = slice(out, i, pads[i], pads[i] + staticDim(d, "the gradient of Pad"));
      return [out];
    },
  },
  Expand: {
    infer({ inputs: [x], constant, refuse }) {
      const target = constant(1);
      return { dtype: x.dtype, shape: broadcast(x.shape, target) ?? refuse(`a shape that broadcasts to [${target}]`) };
    },
    gradient: ({ inputs: [x], grads: [g] }) => [sumTo(g!, x.shape)],
  },
  Shape: { infer: ({ inputs: [x] }) => ({ dtype: "int64", shape: [x.shape.length] }), flat: true },
});

const OPEN = 2 ** 31 - 1;

/** The number behind a size, where a rule needs one. */
export function staticDim(d: Dim, who: string): number {
  if (!isNumber(d)) throw new TypeError(`${who} needs sizes known when the graph is built, not "${d}"`);
  return d;
}

const ints = (x: Tensor, values: readonly number[]) => x.graph.constant(i64([values.length], values));

/** `shape` may hold one -1, and named sizes: the one at the same place is kept, another one is inferred. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  if (shape.length === x.shape.length && shape.every((d, i) => d === x.shape[i])) return x;
  const target = shape.map((d, i) => (isNumber(d) ? d : d === x.shape[i] ? 0 : -1));
  return apply("Reshape", [x, ints(x, target)])[0];
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

/** Equal parts along an axis. */
export function split(x: Tensor, axis: number, parts: number): Tensor[] {
  const size = staticDim(x.shape.at(axis)!, "split") / parts;
  return Array.from({ length: parts }, (_, i) => slice(x, axis, i * size, (i + 1) * size));
}

/** Adds zeros (or `value`) before and after each axis. */
export const pad = (x: Tensor, before: readonly number[], after: readonly number[], value = 0) =>
  [...before, ...after].every((p) => p === 0)
    ? x
    : apply("Pad", [x, ints(x, [...before, ...after]), x.graph.scalar(value, x.dtype)])[0];

export const expand = (x: Tensor, shape: readonly number[]) => apply("Expand", [x, ints(x, shape)])[0];

/** A float32 constant of one value everywhere. */
export const filled = (like: Tensor, shape: readonly number[], value: number): Tensor =>
  like.graph.constant(nd("float32", shape, f32([sizeOf(shape)]).data.fill(value)));
