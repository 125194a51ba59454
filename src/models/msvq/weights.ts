/** Names and shapes of a tokenizer's tensors, and what its files hold beside them. */
import { Graph } from "../../graph/index.ts";
import { type Shapes, shapesOf } from "../weights.ts";
import { latentSide, type MsvqConfig, pictureSide } from "./config.ts";
import { latentOf, pixelsOf } from "./graph.ts";
import { quantize } from "./quantizer.ts";

export function msvqParameters(config: MsvqConfig): Shapes {
  const g = new Graph();
  const [side, pixels] = [latentSide(config), pictureSide(config)];
  quantize(latentOf(g.input("pixels", "float32", [1, 3, pixels, pixels]), config), config);
  pixelsOf(g.input("map", "float32", [1, config.zChannels, side, side]), config);
  return shapesOf(g);
}

/** Statistics of codebook use, whatever their values. */
export const MSVQ_IGNORED = ["quantize.ema_vocab_hit_SV"] as const;
