/** One array against its recorded values. Knows tolerances, not what the arrays mean. */
import { type NdArray, sizeOf } from "fewstep/base";

export interface Tolerance {
  /** Allowed: |got - want| <= atol + rtol * |want|. Both 0 asks for equal values. */
  readonly atol: number;
  readonly rtol: number;
  /** Share of the values that may be further off (default 0). */
  readonly badFraction?: number;
}

export interface Comparison {
  readonly field: string;
  readonly exact: boolean;
  /** Largest error in units of what is allowed there; above 1 it fails. */
  readonly ratio: number;
  /** That error, what is allowed there. */
  readonly error: number;
  readonly allowed: number;
  /** Set when the values do not match: what is wrong. */
  readonly problem?: string;
}

/** What a check may hand in: numbers in row-major order, with or without a shape. */
export type Values = NdArray | ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>;

const isNdArray = (values: Values): values is NdArray => "shape" in values && "data" in values;

/** Integers and booleans must be equal whatever the tolerance. */
export function compare(field: string, got: Values, want: NdArray, tolerance: Tolerance): Comparison {
  const data: ArrayLike<unknown> = isNdArray(got) ? got.data : got;
  const exact = want.dtype !== "float32" || tolerance.atol + tolerance.rtol === 0;
  const allowedAt = (x: number) => (exact ? 0 : tolerance.atol + tolerance.rtol * Math.abs(x));
  const failed = (problem: string): Comparison => ({ field, exact, ratio: Infinity, error: NaN, allowed: 0, problem });
  if (data.length !== sizeOf(want.shape))
    return failed(`expected ${sizeOf(want.shape)} values [${want.shape}], got ${data.length}`);
  if (isNdArray(got) && withoutOnes(got.shape) !== withoutOnes(want.shape))
    return failed(`expected shape [${want.shape}], got [${got.shape}]`);

  let worst = { ratio: 0, error: 0, allowed: allowedAt(0), at: -1 };
  let wrong = 0;
  for (let at = 0; at < data.length; at++) {
    const [a, b] = [Number(data[at]), Number(want.data[at])];
    const error = a === b ? 0 : Math.abs(a - b);
    const allowed = allowedAt(b);
    const ratio = error === 0 ? 0 : error / allowed;
    if (!(ratio <= 1)) wrong++;
    // NaN, of a value or of Infinity beside a number, counts as infinitely wrong.
    if (!(ratio <= worst.ratio)) worst = { ratio: Number.isNaN(ratio) ? Infinity : ratio, error, allowed, at };
  }
  const { ratio, error, allowed, at } = worst;
  if (wrong <= (tolerance.badFraction ?? 0) * data.length) return { field, exact, ratio, error, allowed };
  const example = `${Number(data[at])} where ${Number(want.data[at])} is recorded, at ${at} of [${want.shape}]`;
  return {
    field,
    exact,
    ratio,
    error,
    allowed,
    problem: `${wrong} of ${data.length} values differ, the worst ${example}`,
  };
}

/** Axes of size 1 come and go between implementations. */
const withoutOnes = (shape: readonly number[]): string => shape.filter((d) => d !== 1).join();
