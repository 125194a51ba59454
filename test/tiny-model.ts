/** A model of the embedded layout with random weights, small enough to make and run anew in every test. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { f32, Rng, sizeOf } from "../src/base/index.ts";
import { encodePicture, picture } from "../src/image/index.ts";
import type { ModelConfig, ModelParts, Shapes, StateDict } from "../src/models/index.ts";
import { magvitParameters, saveModel, showoParameters } from "../src/models/index.ts";
import type { MagvitConfig } from "../src/models/magvit/index.ts";
import type { ShowoConfig } from "../src/models/showo/index.ts";
import { tokenizerFromJson, trainBpe } from "../src/text/index.ts";

const TEXTS = ["a red car", "two blue cars", "a dog left of a cat", "describe the picture.", "is there a dog?"];
const tokenizer = trainBpe([...TEXTS, ...TEXTS], 300);
const { size, endOfText } = tokenizerFromJson(tokenizer);

const showo: ShowoConfig = {
  model: "showo",
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  mlpSize: 64,
  rotaryFraction: 0.5,
  ropeTheta: 10000,
  normEps: 1e-5,
  // Room for more ids than the tokenizer has: they must never be answered.
  llmVocabSize: size + 40,
  endOfText,
  codebookSize: 64,
  imageTokens: 16,
  maxTextTokens: 24,
  cellEmbeddings: true,
};

/** 32x32 pixels to 4x4 cells of 8x8 pixels. */
const magvit: MagvitConfig = {
  model: "magvit",
  resolution: 32,
  bits: 6,
  encoder: { ch: 8, chMult: [1, 1, 1, 2], numResBlocks: [0, 1, 1, 1], groups: 0, attention: false },
  decoder: { ch: 8, chMult: [1, 1, 1, 2], numResBlocks: [0, 1, 1, 1], groups: 4, attention: true },
  normEps: 1e-6,
};

const config: ModelConfig = {
  model: "tiny",
  showo,
  magvit,
  defaults: { steps: 4, guidance: 1.5 },
  text: { captionQuestion: "describe the picture." },
  words: [...new Set(TEXTS.join(" ").match(/[a-z]+/g))],
};

/** Norms do nothing, biases are small, the rest is normal: wide enough that logits visibly depend on what is read. */
function randomState(shapes: Shapes, seed: number): StateDict {
  const rng = new Rng(seed);
  return new Map(
    [...shapes].map(([name, shape]) => {
      const spread = shape.length === 1 ? 0.1 : 1 / Math.sqrt(sizeOf(shape.slice(1)));
      const centre = shape.length === 1 && name.endsWith("weight") ? 1 : 0;
      return [
        name,
        f32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => centre + spread * rng.normal()),
        ),
      ];
    }),
  );
}

/** The parts of the tiny model; the same seed gives the same weights. */
export const tinyParts = (seed = 1): ModelParts => ({
  config,
  showo: randomState(showoParameters(showo), seed),
  magvit: randomState(magvitParameters(magvit), seed + 1),
  tokenizer,
  card: "# tiny\n\nRandom weights, for tests.\n",
});

/** Writes the tiny model into a folder. */
export const saveTinyModel = (folder: string, seed = 1): Promise<void> => saveModel(folder, tinyParts(seed));

/** A folder of three pictures of noise with their captions, as training data. */
export async function saveTinyData(folder: string): Promise<void> {
  mkdirSync(folder);
  const rng = new Rng(1);
  for (const name of ["a red car", "two blue cars", "a dog left of a cat"]) {
    const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, () => rng.int(256));
    writeFileSync(join(folder, `${name}.png`), await encodePicture(picture(32, 32, pixels), "png"));
    writeFileSync(join(folder, `${name}.txt`), name);
  }
}
