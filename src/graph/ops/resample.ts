/** Pictures [B, C, H, W] to twice and half their size. */
import { f32 } from "../../base/index.ts";
import { apply } from "../apply.ts";
import type { Tensor } from "../graph.ts";
import { defineOps } from "../table.ts";
import { mul } from "./elementwise.ts";

export const resampleOps = defineOps({
  Resize: {
    infer({ inputs: [x], constant, refuse, fixed }) {
      if (x.shape.length !== 4 || constant(2).join() !== "1,1,2,2") refuse("[B, C, H, W] and scales 1, 1, 2, 2");
      const [batch, channels, height, width] = x.shape;
      return { dtype: x.dtype, shape: [batch, channels, 2 * fixed(height), 2 * fixed(width)] };
    },
    gradient: ({ grads: [g] }) => mul(averagePool2(g!), 4),
  },
  AveragePool: {
    infer({ inputs: [x], fixed, refuse }) {
      const [batch, channels, ...sides] = x.shape;
      const [height, width] = sides.map(fixed);
      if (sides.length !== 2 || height % 2 || width % 2) refuse("[B, C, H, W] with even sides");
      return { dtype: x.dtype, shape: [batch, channels, height / 2, width / 2] };
    },
    gradient: ({ grads: [g] }) => mul(upsampleNearest2(g!), 0.25),
  },
});

/** Nearest-neighbour enlargement by two: every value becomes a 2x2 block. */
export const upsampleNearest2 = (x: Tensor): Tensor =>
  apply("Resize", [x, undefined, x.graph.constant(f32([4], [1, 1, 2, 2]))], {
    mode: { string: "nearest" },
    coordinate_transformation_mode: { string: "asymmetric" },
    nearest_mode: { string: "floor" },
  })[0];

/** Means of 2x2 blocks. */
export const averagePool2 = (x: Tensor): Tensor =>
  apply("AveragePool", [x], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } })[0];
