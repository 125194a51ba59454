/** Names and shapes of a transformer's tensors, and the constants that published files store beside them. */
import { Graph } from "../../graph/index.ts";
import { tokenCount } from "../msvq/index.ts";
import { type Shapes, shapesOf } from "../weights.ts";
import { scaleOfTokens, type VarConfig } from "./config.ts";
import { scaleMask, teacherForced } from "./graph.ts";

export function varParameters(config: VarConfig): Shapes {
  const g = new Graph();
  const length = tokenCount(config);
  const first = config.sides[0] ** 2;
  const inputs = length === first ? undefined : g.input("inputs", "float32", [1, length - first, config.zChannels]);
  teacherForced(config, { labels: g.input("labels", "int64", [1]), inputs });
  return shapesOf(g);
}

export function varBuffers(config: VarConfig): Record<string, ArrayLike<number>> {
  const zeros = new Float32Array(config.width);
  return {
    lvl_1L: scaleOfTokens(config),
    attn_bias_for_masking: scaleMask(config.sides).data,
    ...Object.fromEntries(Array.from({ length: config.depth }, (_, i) => [`blocks.${i}.attn.zero_k_bias`, zeros])),
  };
}
