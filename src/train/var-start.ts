/** Starting values that a name's own rule does not give: gates that let blocks speak, classes that differ. */
import { f32, type NdArray, sizeOf } from "../base/index.ts";
import type { Shapes } from "../models/index.ts";
import type { VarConfig } from "../models/var/index.ts";
import { initialise } from "./init.ts";

/** Gates start here; the published 1e-5 to 1e-3 are for far deeper models and longer runs. */
const GATE = 0.5;
/** Deviation of class rows. The published rule makes them small, which takes thousands of steps to outgrow. */
const CLASS_SPREAD = 0.5;

/** Of a model trained from scratch; parameters left out start by their own rule. */
export function startWeights(config: VarConfig, shapes: Shapes, seed: number): Record<string, NdArray<"float32">> {
  const out: Record<string, NdArray<"float32">> = {};
  const classes = "class_emb.weight";
  out[classes] = f32(shapes.get(classes)!, new Float32Array(sizeOf(shapes.get(classes)!)));
  initialise(out[classes].data, { normal: CLASS_SPREAD }, seed, classes);
  for (const [name, shape] of shapes)
    if (/(^shared_ada_lin|^blocks\.\d+\.ada_lin)\.1\.bias$/.test(name)) {
      out[name] = f32(shape);
      out[name].data.fill(GATE, 0, 2 * config.width);
    }
  return out;
}
