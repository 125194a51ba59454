/** The rows that a conversion runs through the layers: a prompt with a half-drawn picture, and a picture with a question. */
import { type NdArray, Rng } from "../base/index.ts";
import { UNDECIDED } from "../decode/index.ts";
import {
  additiveMask,
  imageIds,
  imagePrompt,
  predictNextMask,
  questionIds,
  type ShowoConfig,
  understandingMask,
  vocabularyOf,
} from "../models/showo/index.ts";

/** Cells of a calibration picture: enough to see every channel at work, few enough to be quick. */
const CELLS = 256;

export interface CalibrationTexts {
  /** Ids of a prompt, and of a question as it is put to the model. */
  prompt: readonly number[];
  question: readonly number[];
}

export interface CalibrationRow {
  ids: number[];
  bias: NdArray<"float32">;
}

/** Two rows; codes are drawn by a fixed seed. */
export function calibrationRows(config: ShowoConfig, { prompt, question }: CalibrationTexts): CalibrationRow[] {
  const rng = new Rng(7);
  const vocabulary = vocabularyOf(config);
  const cells = Math.min(CELLS, config.imageTokens);
  const codes = Array.from({ length: cells }, () => rng.int(config.codebookSize));
  const half = codes.map((code) => (rng.uniform() < 0.5 ? UNDECIDED : code));
  const drawn = [...imagePrompt(config, prompt), vocabulary.soi, ...imageIds(config, half), vocabulary.eoi];
  const asked = questionIds(config, codes, question);
  return [
    { ids: drawn, bias: additiveMask(predictNextMask([drawn], vocabulary, { hidePads: true })) },
    { ids: asked, bias: additiveMask(understandingMask([asked], vocabulary)) },
  ];
}
