/** What a person typed, as ids the model reads. What is cut or unknown to the model becomes a warning, never silence. */
import { promptRoom, questionText } from "../models/showo/index.ts";
import { cleanPrompt, cleanQuestion } from "../text/index.ts";
import type { ShowoModel } from "./model.ts";

export interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
  readonly warnings: readonly string[];
}

/** The longest tokens of GPT-2 have 128 bytes; what lies behind as many as fit is not even tokenised. */
const LONGEST_TOKEN = 128;

/** A prompt to draw; the empty one draws unconditionally. Errors: not a string, broken Unicode. */
export function readPrompt(model: ShowoModel, prompt: unknown): Prompt {
  const text = cleanPrompt(prompt);
  const room = promptRoom(model.config.showo);
  const ids = model.text.encode(text.slice(0, (room + 1) * LONGEST_TOKEN));
  const warnings = unknownWords(model, text);
  if (ids.length > room)
    warnings.unshift(`the prompt is longer than the ${room} tokens that the model reads; the rest was left out`);
  return { text, ids: ids.slice(0, room), warnings };
}

/** A question about a picture, or the model's captioning question when it is blank. Errors: over 1024 characters. */
export function readQuestion(model: ShowoModel, question: unknown): Prompt {
  const asked = question === undefined ? "" : cleanQuestion(question).trim();
  const text = asked === "" ? model.config.text.captionQuestion : asked;
  return { text, ids: model.text.encode(questionText(text)), warnings: unknownWords(model, text) };
}

/** Says which words the model never saw in training, if its configuration tells. */
function unknownWords(model: ShowoModel, text: string): string[] {
  const known = model.config.words;
  if (!known) return [];
  const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu));
  const unknown = [...words].filter((word) => !known.includes(word));
  if (unknown.length === 0) return [];
  const shown = unknown.slice(0, 8).map((word) => word.slice(0, 20));
  const more = unknown.length > 8 ? ` and ${unknown.length - 8} more` : "";
  return [`words that this small model never learnt: ${shown.join(", ")}${more}`];
}
