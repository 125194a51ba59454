/** A detector as a program: one picture at a time, so that what is found does not depend on the pictures beside it. */
import { fail, type NdArray } from "../../base/index.ts";
import { Graph } from "../../graph/index.ts";
import { createHost, type Host, type Program } from "../../runtime/index.ts";
import type { DetectorConfig } from "./config.ts";
import { detectorGraph } from "./graph.ts";
import { type Detection, peaksOf } from "./peaks.ts";

export interface Sight {
  /** Every object that may be there, the surest first; who asks decides from which score on it counts. */
  readonly found: readonly Detection[];
  /** [deepWidth], for comparing sets of pictures. */
  readonly features: Float32Array;
}

export interface DetectorPrograms {
  readonly config: DetectorConfig;
  /** Pixels float32 [3, resolution, resolution] in [-1, 1]. Errors: another shape. */
  look(pixels: NdArray<"float32">): Promise<Sight>;
  dispose(): Promise<void>;
}

/** Compiled with the first picture. */
export function detectorPrograms(
  config: DetectorConfig,
  weights: (name: string) => NdArray | undefined,
  host: Host = createHost({ host: "inline", spinning: false }),
): DetectorPrograms {
  const shape = [3, config.resolution, config.resolution];
  let compiled: Promise<Program> | undefined;
  const compile = () => {
    const graph = new Graph();
    const { centers, boxes, colors, features } = detectorGraph(graph.input("pixels", "float32", [1, ...shape]), config);
    for (const [name, tensor] of Object.entries({ centers, boxes, colors, features })) graph.output(name, tensor);
    return host.compile(graph, { weights });
  };
  return {
    config,
    async look(pixels) {
      if (pixels.shape.join() !== shape.join())
        fail("the detector does not take pictures of this size", {
          expected: `pixels [${shape}]`,
          got: `[${pixels.shape}]`,
        });
      const program = await (compiled ??= compile());
      const out = await program.run({ pixels: { ...pixels, shape: [1, ...shape] } });
      const grid = (name: string) => out[name] as NdArray<"float32">;
      const found = peaksOf(config, { centers: grid("centers"), boxes: grid("boxes"), colors: grid("colors") });
      return { found, features: grid("features").data };
    },
    async dispose() {
      await (await compiled)?.dispose();
      compiled = undefined;
    },
  };
}
