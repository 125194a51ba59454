/**
 * The models of a distillation: a teacher that is followed, a student that starts from weights, and whether they fit. Knows
 * no losses.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, type NdArray } from "../base/index.ts";
import { argmax, blank, decodeJacobi, finish, randomGuess, seeded } from "../decode/index.ts";
import { readSafetensors } from "../files/index.ts";
import { preprocess } from "../image/index.ts";
import { loadNetworks, modelFolder, type Networks } from "../models/index.ts";
import { imagePredictor, questionIds, questionText, textPredictor, vocabularyOf } from "../models/showo/index.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { CAPTION_QUESTION, type Lesson } from "./source.ts";
import {
  type ImageTrajectory,
  type RecordOptions,
  recordPictures,
  recordText,
  type TextTrajectory,
} from "./trajectories.ts";

export interface TeacherModel {
  readonly folder: string;
  readonly networks: Networks;
  readonly text: Tokenizer;
  /** SHA-256 of its transformer's file. */
  readonly hash: string;
  /** Path of the weights of a network. */
  file(network: "showo" | "magvit"): string;
  dispose(): Promise<void>;
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Opens a model by name or folder to follow it, in this thread. */
export async function openTeacher(name: string, { threads }: { threads?: number } = {}): Promise<TeacherModel> {
  const folder = modelFolder(name);
  const networks = await loadNetworks(folder, { threads, host: "inline" });
  const text = await loadTokenizer(folder);
  const file = (network: string) => join(folder, `${network}.safetensors`);
  return { folder, networks, text, hash: sha256(file("showo")), file, dispose: () => networks.dispose() };
}

/** Tensors of a file by name, as float32. */
export function tensorsOf(path: string): Record<string, NdArray<"float32">> {
  const file = readSafetensors(path);
  try {
    return Object.fromEntries(file.names.map((name) => [name, file.float32(name)]));
  } finally {
    file.close();
  }
}

/**
 * Refuses a student that cannot learn from a teacher, saying in what they differ: both must mean the same by every token.
 * Widths and depths may differ.
 */
export function checkFit(
  teacher: Pick<TeacherModel, "folder" | "networks">,
  student: Pick<TeacherModel, "folder" | "networks">,
): void {
  const [a, b] = [teacher.networks.config, student.networks.config];
  const sizes = ["llmVocabSize", "endOfText", "codebookSize", "imageTokens", "maxTextTokens"] as const;
  const differences = sizes
    .filter((size) => a.showo[size] !== b.showo[size])
    .map((size) => `${size} ${a.showo[size]} and ${b.showo[size]}`);
  for (const [what, file] of [
    ["text tokenizers", "tokenizer.json"],
    ["picture tokenizers", "magvit.safetensors"],
  ])
    if (sha256(join(teacher.folder, file)) !== sha256(join(student.folder, file)))
      differences.push(`other ${what} (${file})`);
  if (differences.length)
    fail("the student does not fit its teacher", {
      where: `${teacher.folder} and ${student.folder}`,
      expected: "the same tokenizers and the same numbers of tokens",
      got: differences.join("; "),
      hint: "Start the student from its teacher, or from a model that was made of it.",
      code: "BAD_WEIGHTS",
    });
}

/** Draws a picture for each prompt. */
export async function followPictures(
  { networks: { config, transformer } }: TeacherModel,
  prompts: readonly (readonly number[])[],
  { guidance, ...options }: RecordOptions & { guidance: number },
): Promise<ImageTrajectory[]> {
  const predictor = await imagePredictor(transformer, { prompts, guidance });
  return recordPictures(predictor, prompts, config.showo.imageTokens, options);
}

/** A picture in the teacher's own words, token by token. */
export async function describePicture({ networks, text }: TeacherModel, codes: Int32Array): Promise<string> {
  const { showo } = networks.config;
  const prompt = questionIds(showo, codes, text.encode(questionText(CAPTION_QUESTION)));
  const slots = textLengthOf(showo) - prompt.length;
  const predictor = await textPredictor(networks.transformer, { prompt, slots });
  const states = decodeJacobi(predictor, blank(1, slots), { block: 1, sample: argmax, stopId: showo.endOfText });
  const { canvas, settled } = await finish(states);
  return text.decode([...canvas.ids_BL.subarray(0, settled)].filter((id) => id !== showo.endOfText));
}

/** Ids of picture, question and answer that a text row may have. */
export const textLengthOf = (
  { imageTokens, maxTextTokens }: { imageTokens: number; maxTextTokens: number },
  answerTokens = 0,
): number => imageTokens + 3 + maxTextTokens + answerTokens;

export interface AnswerOptions {
  block: number;
  answerTokens?: number;
  skipsRepetition: boolean;
  seed: number;
}

/** Answers a question about a picture, greedily, round by round. Nothing where the published filter drops the picture. */
export async function followText(
  { networks, text }: TeacherModel,
  lesson: Pick<Lesson, "pixels" | "width" | "height">,
  question: string,
  { block, answerTokens, skipsRepetition, seed }: AnswerOptions,
): Promise<TextTrajectory[]> {
  const { showo, magvit } = networks.config;
  const { width, height, pixels } = lesson;
  const codes = await networks.tokenizer.encode(preprocess({ width, height, data: pixels }, magvit.resolution));
  if (skipsRepetition && repeats(codes)) return [];
  const asked = text.encode(questionText(question));
  const prompt = questionIds(showo, codes, asked);
  const slots = textLengthOf(showo, answerTokens) - prompt.length;
  if (slots < 1) return [];
  const predictor = await textPredictor(networks.transformer, { prompt, slots });
  const guess = randomGuess([...asked, vocabularyOf(showo).endOfText], seeded(seed, "guess"));
  const states = decodeJacobi(predictor, blank(1, slots), { block, sample: argmax, guess, stopId: showo.endOfText });
  return recordText(states, prompt);
}

const REPEATED = 10;

/** Ten equal tokens in a row. */
const repeats = (codes: Int32Array): boolean =>
  codes.some((code, i) => i + REPEATED <= codes.length && codes.subarray(i, i + REPEATED).every((c) => c === code));
