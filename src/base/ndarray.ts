/** Plain arrays with a shape: what crosses every boundary between folders. */
import { fail } from "./errors.ts";

export interface DataOf {
  float32: Float32Array;
  float16: Uint16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  int8: Int8Array;
  bool: Uint8Array;
}
export type DType = keyof DataOf;

export const BYTES: Record<DType, number> = { float32: 4, float16: 2, int32: 4, int64: 8, uint8: 1, int8: 1, bool: 1 };

/** A dense row-major array. `data` may be a view of a larger buffer. */
export interface NdArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf[D];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

const CONSTRUCTORS = {
  float32: Float32Array,
  float16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const;

/** Zeros of a shape, or `data` given that shape. Refuses data of another size. */
export function nd<D extends DType>(dtype: D, shape: readonly number[], data?: DataOf[D]): NdArray<D> {
  const size = sizeOf(shape);
  if (data && data.length !== size)
    fail("array data does not fill its shape", { expected: `${size} elements for [${shape}]`, got: `${data.length}` });
  return { dtype, shape, data: data ?? (new CONSTRUCTORS[dtype](size) as DataOf[D]) };
}

export const f32 = (shape: readonly number[], data?: ArrayLike<number>): NdArray<"float32"> =>
  nd("float32", shape, data === undefined || data instanceof Float32Array ? data : Float32Array.from(data));

/** Indices travel as int64 because ONNX asks for it; `i64([2], [3, 4])`. */
export const i64 = (shape: readonly number[], data: ArrayLike<number> | BigInt64Array): NdArray<"int64"> =>
  nd("int64", shape, data instanceof BigInt64Array ? data : BigInt64Array.from(Array.from(data), BigInt));

export const bool = (shape: readonly number[], data: ArrayLike<number | boolean>): NdArray<"bool"> =>
  nd("bool", shape, Uint8Array.from(Array.from(data), Number));

/** Typed array constructor of a dtype. */
export const arrayOf = <D extends DType>(dtype: D) => CONSTRUCTORS[dtype];
