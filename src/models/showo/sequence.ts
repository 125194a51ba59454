/**
 * The only place that knows id offsets and sequence layouts (Show-o spec sections 1 and 3).
 * Ids of one vocabulary: the language model's own, ten control tokens, the image codebook, MASK.
 */
import { fail } from "../../base/index.ts";
import type { ShowoConfig } from "./config.ts";

/** Labels with this value do not count in a loss. */
export const IGNORE = -100;
/** A cell that is not decided; the same as the decoders' mark. */
const UNDECIDED = -1;
const CONTROL_TOKENS = 10;

export interface Vocabulary {
  /** Ids of plain text: 0 ... text-1. */
  readonly text: number;
  readonly endOfText: number;
  readonly pad: number;
  readonly soi: number;
  readonly eoi: number;
  readonly t2i: number;
  readonly mmu: number;
  /** Id of codebook entry 0. */
  readonly image: number;
  readonly mask: number;
  readonly size: number;
}

export function vocabularyOf({ llmVocabSize: text, endOfText, codebookSize }: ShowoConfig): Vocabulary {
  const image = text + CONTROL_TOKENS;
  const mask = image + codebookSize;
  return {
    text,
    endOfText,
    pad: text,
    soi: text + 1,
    eoi: text + 2,
    t2i: text + 5,
    mmu: text + 6,
    image,
    mask,
    size: mask + 1,
  };
}

/** Columns of the lm_head that a task needs. */
export function headColumns(config: ShowoConfig, of: "all" | "text" | "image"): { start: number; end: number } {
  const v = vocabularyOf(config);
  if (of === "text") return { start: 0, end: v.text };
  return of === "image" ? { start: v.image, end: v.mask } : { start: 0, end: v.size };
}

/** Length of a text-to-image row: task token, text slots, soi, picture, eoi. */
export const rowLength = (config: ShowoConfig): number => config.maxTextTokens + 1 + config.imageTokens + 2;

type Ids = ArrayLike<number>;

/** Codebook ids (or UNDECIDED) to ids of the vocabulary. */
export const imageIds = (config: ShowoConfig, codes: Ids): number[] => {
  const { image, mask } = vocabularyOf(config);
  return Array.from(codes, (id) => (id === UNDECIDED ? mask : id + image));
};

/** Ids of the vocabulary to codebook ids; MASK to UNDECIDED. */
export function codesOf(config: ShowoConfig, ids: Ids): number[] {
  const { image, mask } = vocabularyOf(config);
  return Array.from(ids, (id) => {
    if (id === mask) return UNDECIDED;
    if (id < image || id > mask)
      fail("not an image token", { expected: `an id from ${image} to ${mask}`, got: `${id}` });
    return id - image;
  });
}

const withStart = (ids: Ids, endOfText: number) =>
  ids[0] === endOfText ? Array.from(ids) : [endOfText, ...Array.from(ids)];

/** The text of a text-to-image row without padding: t2i, bos, text, eos. Longer than its slots, it is cut and ends in eos. */
export function imagePrompt(config: ShowoConfig, text: Ids): number[] {
  const { t2i, endOfText } = vocabularyOf(config);
  const ids = [t2i, ...withStart(text, endOfText), endOfText];
  const room = config.maxTextTokens + 1;
  return ids.length <= room ? ids : [...ids.slice(0, room - 1), endOfText];
}

/** Text ids that a prompt may have before it is cut. */
export const promptRoom = (config: ShowoConfig): number => config.maxTextTokens - 2;

export interface TrainingRow {
  ids: number[];
  labels: number[];
}

const padLeft = (ids: number[], length: number, pad: number) => [
  ...new Array<number>(length - ids.length).fill(pad),
  ...ids,
];
const padRight = (ids: number[], length: number, pad: number) => [
  ...ids,
  ...new Array<number>(length - ids.length).fill(pad),
];

/** Inference row of text to image, left-padded as published; `codes` may be UNDECIDED. */
export function textToImageIds(config: ShowoConfig, text: Ids, codes: Ids): number[] {
  const { pad, soi, eoi } = vocabularyOf(config);
  return [...padLeft(imagePrompt(config, text), config.maxTextTokens + 1, pad), soi, ...imageIds(config, codes), eoi];
}

/** Training row of text to image. `labels`: clean codes at masked cells, IGNORE elsewhere. A dropped prompt is empty. */
export function textToImageRow(
  config: ShowoConfig,
  text: Ids,
  codes: Ids,
  labels: Ids,
  dropPrompt = false,
): TrainingRow {
  const { pad, image } = vocabularyOf(config);
  const ids = textToImageIds(config, dropPrompt ? [] : text, codes);
  const start = config.maxTextTokens + 2;
  return {
    ids,
    labels: ids.map((id, i) => {
      const cell = i - start;
      if (cell >= 0 && cell < config.imageTokens) return labels[cell] === IGNORE ? IGNORE : labels[cell] + image;
      return id === pad ? IGNORE : id;
    }),
  };
}

/** Training row of pure text, right-padded to `length`; longer text is cut without an end. */
export function textRow(config: ShowoConfig, text: Ids, length = rowLength(config)): TrainingRow {
  const { pad, endOfText } = vocabularyOf(config);
  const ids = padRight([...withStart(text, endOfText), endOfText].slice(0, length), length, pad);
  return { ids, labels: ids.map((id) => (id === pad ? IGNORE : id)) };
}

/** mmu, soi, picture, eoi: what a model sees before it reads a question. */
export function picturePrefix(config: ShowoConfig, codes: Ids): number[] {
  const { mmu, soi, eoi } = vocabularyOf(config);
  return [mmu, soi, ...imageIds(config, codes), eoi];
}

/**
 * Training row of image to text: picture, then text and eos right-padded to the text slots.
 * `promptLength` more text ids are given, not learnt (a question; its answer is learnt).
 */
export function imageToTextRow(config: ShowoConfig, codes: Ids, text: Ids, promptLength = 0): TrainingRow {
  const { pad, endOfText } = vocabularyOf(config);
  const prefix = picturePrefix(config, codes);
  let slots = [...withStart(text, endOfText), endOfText];
  if (slots.length > config.maxTextTokens) slots = [...slots.slice(0, config.maxTextTokens - 1), endOfText];
  const ids = [...prefix, ...padRight(slots, config.maxTextTokens, pad)];
  const known = prefix.length + (promptLength ? promptLength + 1 : 0);
  return { ids, labels: ids.map((id, i) => (i < known || id === pad ? IGNORE : id)) };
}

/** Inference ids of image to text: picture, bos, question as the tokenizer wrote `questionText`. */
export function questionIds(config: ShowoConfig, codes: Ids, question: Ids): number[] {
  return [...picturePrefix(config, codes), config.endOfText, ...Array.from(question)];
}

/** How a question is put to the model; new lines become blanks, as in the published code. */
export const questionText = (question: string): string =>
  `USER: \n${question.replaceAll("\n", " ").replaceAll("<image>", "").trim()} ASSISTANT:`;
