/** Named arrays as views of one flat array, so that a whole model is updated by one loop and fed without a copy. */
import { f32, fail, type NdArray, sizeOf } from "../base/index.ts";
import { showShape } from "../graph/index.ts";

export type Weights = Readonly<Record<string, NdArray<"float32">>>;

/** A parameter's place in a flat array. */
export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** Places arrays one after the other, the first at 0. */
export function layOut(arrays: readonly { name: string; shape: readonly number[] }[]): Slot[] {
  let end = 0;
  return arrays.map(({ name, shape }) => ({ name, shape, start: end, end: (end += sizeOf(shape)) }));
}

/** The arrays that `flat` holds, named "prefix/NAME" if there is a prefix. */
export const views = (slots: readonly Slot[], flat: Float32Array, prefix?: string): Weights =>
  Object.fromEntries(
    slots.map(({ name, shape, start, end }) => [
      prefix ? `${prefix}/${name}` : name,
      f32(shape, flat.subarray(start, end)),
    ]),
  );

/** Copies values into a view. Errors: BAD_WEIGHTS for another dtype or shape. */
export function copyInto(to: NdArray<"float32">, from: NdArray, name: string): void {
  if (from.dtype !== "float32" || from.shape.join() !== to.shape.join())
    fail("this array does not fit the parameter", {
      where: name,
      expected: `float32${showShape(to.shape)}`,
      got: `${from.dtype}${showShape(from.shape)}`,
      code: "BAD_WEIGHTS",
    });
  to.data.set(from.data as Float32Array);
}
