/** Sizes of a Show-o transformer. */
import { fail } from "../../base/index.ts";

export interface ShowoConfig {
  model: "showo";
  hiddenSize: number;
  layers: number;
  heads: number;
  mlpSize: number;
  /** Share of each head's dimensions that is rotated. */
  rotaryFraction: number;
  ropeTheta: number;
  normEps: number;
  /** Ids of the language model's own tokenizer; control ids, codebook and MASK follow (see sequence.ts). */
  llmVocabSize: number;
  /** Id that begins and ends every text. */
  endOfText: number;
  codebookSize: number;
  /** Image tokens of a picture, a square. */
  imageTokens: number;
  /** Text slots of a training row (max_seq_length). */
  maxTextTokens: number;
  /**
   * Whether every cell of a picture has an embedding of its own, added to its token's. The published models have none; the
   * few rotary frequencies of narrow heads hardly tell the columns of a small grid apart (docs/LOG.md).
   */
  cellEmbeddings?: boolean;
}

const phi: ShowoConfig = {
  model: "showo",
  hiddenSize: 2048,
  layers: 24,
  heads: 32,
  mlpSize: 8192,
  rotaryFraction: 0.5,
  ropeTheta: 10000,
  normEps: 1e-5,
  llmVocabSize: 50295,
  endOfText: 50256,
  codebookSize: 8192,
  imageTokens: 256,
  maxTextTokens: 128,
};

export const SHOWO_PRESETS = {
  /** The published sizes (Show-o spec section 2), 1.45 B parameters. */
  "showo-256": phi,
  "showo-512": { ...phi, imageTokens: 1024 },
  /** 8x8 tokens of emoji scenes; trained by runs/. */
  mini: {
    ...phi,
    hiddenSize: 256,
    layers: 6,
    heads: 8,
    mlpSize: 1024,
    llmVocabSize: 449,
    endOfText: 448,
    codebookSize: 4096,
    imageTokens: 64,
    maxTextTokens: 24,
    cellEmbeddings: true,
  },
} satisfies Record<string, ShowoConfig>;

/** Side of the square token grid. */
export function gridSide(config: ShowoConfig): number {
  const side = Math.sqrt(config.imageTokens);
  if (!Number.isInteger(side))
    fail("image tokens do not fill a square", { where: "config.imageTokens", got: `${config.imageTokens}` });
  return side;
}
