/**
 * Linear layers whose weights are stored in fewer bits, for inference. What is stored for a weight comes from
 * `storedArrays`; these functions say the same names and shapes to a graph.
 */
import { fail } from "../base/index.ts";
import {
  add,
  cast,
  type Dim,
  dynamicQuantize,
  gather,
  gemm,
  matmulInteger,
  matmulNBits,
  mul,
  type Quantized,
  reshape,
  type Tensor,
} from "../graph/index.ts";

/**
 * How a matrix is stored and multiplied. `fp32`: as it is. `fp16`: half the file, float32 when it runs. `int8`: 8 bits a
 * weight, activations to 8 bits by the range of the whole tensor; fastest for many rows. `n8` and `n4`: 8 and 4 bits with
 * a scale for each block of a row, activations to 8 bits by block; fastest for a few rows, `n8` the most exact of the three.
 */
export type Storage = "fp32" | "fp16" | "int8" | "n8" | "n4";

/** Weights of a row that share a scale. */
export const blockOf = (width: number): number => {
  for (const block of [128, 64, 32, 16]) if (width % block === 0) return block;
  return fail("this width cannot be stored in blocks", { expected: "a multiple of 16", got: `${width}` });
};

/** Whether matrices that read one input are better stored as one: a product of a few rows costs its start as well. */
export const joinsWell = (storage: Storage): boolean => storage === "n8" || storage === "n4";

const frozen = { constant: 0 } as const;
const widthOf = (x: Tensor): number => Number(x.shape.at(-1));

/** y = x W' + b over the last axis. Parameters: `weight`, with scales where it has some, and `bias` unless it is given. */
export function storedLinear(x: Tensor, out: number, storage: Storage, given?: Tensor): Tensor {
  const { graph } = x;
  const width = widthOf(x);
  const bias = given ?? graph.param("bias", [out], frozen);
  const lead: readonly Dim[] = x.shape.slice(0, -1);
  const rows = reshape(x, [-1, width]);
  const back = (y: Tensor) => reshape(y, [...lead, out]);
  if (storage === "fp32" || storage === "fp16") {
    const dtype = storage === "fp32" ? "float32" : "float16";
    const weight = cast(graph.param("weight", [out, width], frozen, dtype), "float32");
    return back(gemm(rows, weight, { transB: true, c: bias }));
  }
  if (storage === "int8") {
    const weight = graph.param("weight", [width, out], frozen, "int8");
    const scales = graph.param("scales", [out], frozen);
    const quantized = quantizedOnce(rows);
    const product = cast(matmulInteger(quantized, weight), "float32");
    return back(add(mul(product, mul(quantized.scale, scales)), bias));
  }
  const bits = storage === "n4" ? 4 : 8;
  const block = blockOf(width);
  const weight = graph.param("weight", [out, width / block, (block * bits) / 8], frozen, "uint8");
  const scales = graph.param("scales", [(out * width) / block], frozen);
  return back(matmulNBits(rows, weight, scales, { bits, block, bias }));
}

/** Several layers read one tensor; it is quantised once. */
const once = new WeakMap<Tensor, Quantized>();

function quantizedOnce(x: Tensor): Quantized {
  const source = x.node?.op === "Reshape" ? x.node.inputs[0]! : x;
  const known = once.get(source);
  if (known) return known;
  const made = dynamicQuantize(x);
  once.set(source, made);
  return made;
}

/** Rows of a table that is stored as float32 or float16. */
export const storedEmbedding = (ids: Tensor, size: number, width: number, storage: "fp32" | "fp16"): Tensor =>
  cast(
    gather(ids.graph.param("weight", [size, width], frozen, storage === "fp32" ? "float32" : "float16"), ids),
    "float32",
  );
