/** A next-scale model with random weights, small enough to make and run anew in every test: 6x6 pixels, three scales. */
import { f32, Rng, sizeOf } from "../src/base/index.ts";
import type { Shapes, StateDict } from "../src/models/index.ts";
import type { MsvqConfig } from "../src/models/msvq/index.ts";
import { msvqParameters } from "../src/models/msvq/index.ts";
import { type LabelConfig, saveLabelModel, type VarConfig, varParameters } from "../src/models/var/index.ts";

export const tinyMsvq: MsvqConfig = {
  model: "msvq",
  encoder: { ch: 4, chMult: [1, 2], numResBlocks: [0, 1], groups: 0, attention: false },
  decoder: { ch: 4, chMult: [1, 2], numResBlocks: [0, 1], groups: 2, attention: true },
  normEps: 1e-6,
  zChannels: 4,
  codebookSize: 16,
  sides: [1, 2, 3],
  phi: { count: 2, ratio: 0.5 },
};

export const tinyVar = (width: number, depth: number): VarConfig => ({
  model: "var",
  width,
  depth,
  heads: 2,
  mlpSize: 2 * width,
  normEps: 1e-6,
  classes: 3,
  qkNorm: true,
  sharedNorm: depth === 1,
  sides: tinyMsvq.sides,
  codebookSize: tinyMsvq.codebookSize,
  zChannels: tinyMsvq.zChannels,
});

/** Wide enough that logits visibly depend on what is read. */
export function randomState(shapes: Shapes, seed: number): StateDict {
  const rng = new Rng(seed);
  return new Map(
    [...shapes].map(([name, shape]) => {
      const centre = name.endsWith("scale_mul_1H11") ? 1 : shape.length === 1 && name.includes("norm") ? 0.8 : 0;
      const spread = shape.length < 2 ? 0.4 : 1.5 / Math.sqrt(sizeOf(shape.slice(1)));
      const values = Float32Array.from({ length: sizeOf(shape) }, () => centre + spread * rng.normal());
      return [name, f32(shape, values)];
    }),
  );
}

export const tinyNetworks = { drafter: tinyVar(16, 2), refiner: tinyVar(8, 1) };
export const tinyStates = {
  msvq: randomState(msvqParameters(tinyMsvq), 1),
  drafter: randomState(varParameters(tinyNetworks.drafter), 2),
  refiner: randomState(varParameters(tinyNetworks.refiner), 3),
};

export const tinyLabelConfig: LabelConfig = {
  model: "tiny-code",
  tokenizer: { file: "msvq.safetensors", config: tinyMsvq },
  networks: {
    drafter: { file: "drafter.safetensors", config: tinyNetworks.drafter },
    refiner: { file: "refiner.safetensors", config: tinyNetworks.refiner },
  },
  pairs: {},
  classes: ["zebra", "hot dog", "cup"],
  defaults: { guidance: 1.5, topK: 8, topP: 0.9, draftScales: 2 },
};

/** Writes the model into a folder. */
export const saveTinyLabelModel = (folder: string, config = tinyLabelConfig): Promise<void> =>
  saveLabelModel(folder, {
    config,
    tokenizer: tinyStates.msvq,
    networks: { drafter: tinyStates.drafter, refiner: tinyStates.refiner },
    card: "# tiny-code\n",
  });
