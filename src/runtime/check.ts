/** Compares arrays with what a session declares, so that people read names and shapes and not a native error. */
import { type DType, fail, type NdArray, sizeOf } from "../base/index.ts";
import { type Dim, showType } from "../graph/index.ts";

/** Name, dtype and shape of an input or output, as ONNX Runtime tells them. */
export interface Declared {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly Dim[];
}

/** Sizes that names stand for in one run, and which array said so. */
export type Bound = Map<string, { size: number; from: string }>;

/** Refuses an array of another dtype, rank or size than declared, or one whose named sizes contradict an earlier array. */
export function checkArray(kind: "input" | "output", declared: Declared, value: NdArray, bound: Bound): void {
  const { name, type, shape } = declared;
  const refuse = (what: string, note = ""): never =>
    fail(`${kind} "${name}" ${what}`, {
      expected: `${showType({ dtype: type as DType, shape })}${note}`,
      got: showType(value),
    });
  if (value.dtype !== type) refuse("has the wrong dtype");
  if (value.shape.length !== shape.length) refuse("has the wrong rank");
  for (const [axis, want] of shape.entries()) {
    const size = value.shape[axis];
    if (typeof want === "number") {
      if (size !== want) refuse(`has the wrong size on axis ${axis}`);
      continue;
    }
    const before = bound.get(want);
    if (before && want && before.size !== size)
      refuse(`has the wrong size on axis ${axis}`, ` with ${want} = ${before.size} as in "${before.from}"`);
    if (!before) bound.set(want, { size, from: name });
  }
  checkFilled(`${kind} "${name}"`, value);
}

/** Refuses an array with more or fewer values than its shape asks for, as one that was given away has. */
export function checkFilled(what: string, { shape, data }: NdArray): void {
  if (data.length !== sizeOf(shape))
    fail(`${what} does not fill its shape`, {
      expected: `${sizeOf(shape)} elements for [${shape}]`,
      got: `${data.length}`,
    });
}
