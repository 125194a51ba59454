/** Sizes of the tiny Show-o whose weights and outputs are recorded in golden-data/show-o. */
import type { ShowoConfig } from "../src/models/showo/index.ts";

export const goldenShowo: ShowoConfig = {
  model: "showo",
  hiddenSize: 64,
  layers: 3,
  heads: 4,
  mlpSize: 256,
  rotaryFraction: 0.5,
  ropeTheta: 10000,
  normEps: 1e-5,
  llmVocabSize: 100,
  endOfText: 93,
  codebookSize: 64,
  imageTokens: 16,
  maxTextTokens: 10,
};
