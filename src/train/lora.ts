/**
 * Low-rank adaptation (Hu et al., "LoRA", ICLR 2022): named matrices stay frozen, and each gets a trained product of two
 * thin ones added. Knows graphs and names of parameters, no model.
 */
import { f32, fail, type NdArray } from "../base/index.ts";
import { add, type Graph, matmul, mul, type Tensor } from "../graph/index.ts";

export interface Lora {
  /** Columns of the thin matrices. */
  readonly rank: number;
  /** The product is scaled by alpha / rank. */
  readonly alpha: number;
  /** Layers that are adapted, by the last part of their name: "q_proj". */
  readonly layers: readonly string[];
}

const PART = /\.lora_[AB]\.weight$/;

export const isLora = (name: string): boolean => PART.test(name);

const adapts = ({ layers }: Lora, name: string): boolean => {
  const [layer, what] = name.split(".").slice(-2);
  return what === "weight" && layers.includes(layer);
};

/**
 * From now on, the graph gives W + (alpha / rank) B A where an adapted weight is asked for. A starts random and B at 0, so
 * nothing changes before the first step.
 */
export function adaptLayers(graph: Graph, lora: Lora): void {
  const plain = graph.param.bind(graph);
  const adapted = new Map<string, Tensor>();
  graph.param = (name, shape, init) => {
    const weight = plain(name, shape, init);
    if (!adapts(lora, weight.name)) return weight;
    const known = adapted.get(weight.name);
    if (known) return known;
    const [out, width] = shape;
    const a = plain("lora_A.weight", [lora.rank, width], { normal: 1 / Math.sqrt(width) });
    const b = plain("lora_B.weight", [out, lora.rank], { constant: 0 });
    const sum = add(weight, mul(matmul(b, a), lora.alpha / lora.rank));
    adapted.set(weight.name, sum);
    return sum;
  };
}

type Weights = Readonly<Record<string, NdArray<"float32">>>;

/** Plain weights that compute what the adapted ones do. Errors: a matrix whose product is missing a half. */
export function mergeLora(weights: Weights, { rank, alpha }: Lora): Record<string, NdArray<"float32">> {
  const merged: Record<string, NdArray<"float32">> = {};
  for (const [name, weight] of Object.entries(weights)) {
    if (isLora(name)) continue;
    const base = name.replace(/weight$/, "");
    const [a, b] = [weights[`${base}lora_A.weight`], weights[`${base}lora_B.weight`]];
    if (!a !== !b) fail("half of a low-rank product is missing", { where: name, code: "BAD_WEIGHTS" });
    merged[name] = a && b ? added(weight, a, b, { rank, scale: alpha / rank }) : weight;
  }
  return merged;
}

function added(
  weight: NdArray<"float32">,
  a: NdArray<"float32">,
  b: NdArray<"float32">,
  { rank, scale }: { rank: number; scale: number },
): NdArray<"float32"> {
  const [out, width] = weight.shape;
  const sum = f32(weight.shape, weight.data.slice());
  for (let row = 0; row < out; row++)
    for (let r = 0; r < rank; r++) {
      const factor = scale * b.data[row * rank + r];
      for (let column = 0; column < width; column++)
        sum.data[row * width + column] += factor * a.data[r * width + column];
    }
  return sum;
}
