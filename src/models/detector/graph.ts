/**
 * A one-stage detector by centre points (Zhou et al., "Objects as Points", 2019) as graph functions: one grid of scores
 * for each class, and for each cell a box and a colour.
 */
import { add, concat, conv2d, reduceMean, relu, type Tensor, upsampleNearest2 } from "../../graph/index.ts";
import { conv, groupNorm } from "../../nn/index.ts";
import type { DetectorConfig } from "./config.ts";

/** h = w = resolution / patch. Logits where not said otherwise. */
export interface DetectorOutputs {
  /** [B, classes, h, w]: an object of that class has its centre in that cell. */
  centers: Tensor;
  /** [B, 4, h, w]: centre in x and y from the cell's upper left corner, width and height, all in cells. */
  boxes: Tensor;
  /** [B, colors + 1, h, w]; the last is "none of these". */
  colors: Tensor;
  /** [B, deepWidth]: means of the deepest layer over space, for comparing sets of pictures. */
  features: Tensor;
}

const EPSILON = 1e-5;
/** Logit of a score of one percent: nearly all cells are empty, and training should start by saying so. */
const RARELY = -4.6;

const named = <T>(x: Tensor, name: string, build: () => T) => x.graph.scope(name, build);

/** x + conv(relu(norm(conv(relu(norm(x)))))). */
function residualBlock(x: Tensor, name: string, groups: number): Tensor {
  const width = x.shape[1] as number;
  const half = (input: Tensor, i: number) => {
    const normal = relu(named(x, `norm${i}`, () => groupNorm(input, groups, EPSILON)));
    return named(x, `conv${i}`, () => conv(normal, width));
  };
  return named(x, name, () => add(x, half(half(x, 1), 2)));
}

/** Pixels [B, 3, resolution, resolution] in [-1, 1] to what the cells say. */
export function detectorGraph(pixels: Tensor, config: DetectorConfig): DetectorOutputs {
  const { patch, width, deepWidth, blocks, deepBlocks, groups } = config;
  const layer = <T>(name: string, build: () => T) => named(pixels, name, build);
  const stack = (x: Tensor, name: string, count: number) =>
    Array.from({ length: count }).reduce<Tensor>((h, _, i) => residualBlock(h, `${name}.${i}`, groups), x);

  const patches = layer("patches", () => conv(pixels, width, { kernel: patch, stride: patch, pads: [0, 0, 0, 0] }));
  const grid = stack(patches, "grid", blocks[0]);
  const down = layer("down", () => conv(relu(grid), deepWidth, { kernel: 2, stride: 2, pads: [0, 0, 0, 0] }));
  const deep = relu(stack(down, "deep", deepBlocks));
  const up = upsampleNearest2(layer("up", () => conv(deep, width, { kernel: 1 })));
  const merged = relu(stack(add(grid, up), "merged", blocks[1]));

  const counts = [config.classes.length, 4, config.colors.length + 1];
  const seen = concat([merged, upsampleNearest2(deep)], 1);
  const hidden = relu(layer("head", () => conv(seen, deepWidth, { kernel: 1 })));
  const [centers, boxes, colors] = ["centers", "boxes", "colors"].map((name, i) =>
    layer(name, () => readOut(hidden, counts[i], name === "centers" ? RARELY : 0)),
  );
  return { centers, boxes, colors, features: reduceMean(deep, [2, 3]) };
}

/** One linear layer for every cell. */
function readOut(x: Tensor, outs: number, bias: number): Tensor {
  const weight = x.graph.param("weight", [outs, x.shape[1] as number, 1, 1], { normal: 0.02 });
  const start = x.graph.param("bias", [outs], { constant: bias });
  return conv2d(x, weight, start, { strides: [1, 1], pads: [0, 0, 0, 0] });
}
