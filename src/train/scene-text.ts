/** What scenes teach about text: prompts to draw from, questions with answers, sentences, and the tokenizer for them. */
import { fail, type Rng } from "../base/index.ts";
import { questionText, type ShowoConfig } from "../models/showo/index.ts";
import { type Domain, type Scene, sketchScene } from "../scenes/index.ts";
import { type Tokenizer, type TokenizerJson, trainBpe } from "../text/index.ts";

/** The question whose answer is a scene's full caption. */
export const CAPTION_QUESTION = "describe the picture.";

type Words = Pick<Scene, "prompt" | "caption" | "questions">;

export interface Dialogue {
  question: string;
  answer: string;
}

/** What to draw from: mostly what a person would type, sometimes everything that is true. */
export const drawingText = ({ prompt, caption }: Words, rng: Rng): string => (rng.uniform() < 0.65 ? prompt : caption);

/** The caption question or one about a fact, half and half. */
export function dialogueOf({ caption, questions }: Words, rng: Rng): Dialogue {
  return rng.uniform() < 0.5 ? { question: CAPTION_QUESTION, answer: caption } : rng.pick(questions);
}

/** Everything a model of the domain may read or write, from `count` scenes. */
export function corpusOf(domain: Domain, count: number, seed = 0): string[] {
  return Array.from({ length: count }, (_, index) => sketchScene(domain, { seed, index, split: "train" })).flatMap(
    (scene) => [
      scene.prompt,
      scene.caption,
      `${questionText(CAPTION_QUESTION)} ${scene.caption}`,
      ...scene.questions.map(({ question, answer }) => `${questionText(question)} ${answer}`),
    ],
  );
}

export const trainSceneTokenizer = (domain: Domain, size: number): TokenizerJson =>
  trainBpe(corpusOf(domain, 4000), size);

export interface DialogueIds {
  text: number[];
  /** How many of them are the question. */
  questionLength: number;
}

/** Ids of a dialogue as a training row takes them: question, then answer. Refuses what would be cut. */
export function dialogueIds(config: ShowoConfig, tokenizer: Tokenizer, { question, answer }: Dialogue): DialogueIds {
  const asked = tokenizer.encode(questionText(question));
  const text = [...asked, ...tokenizer.encode(` ${answer}`)];
  if (text.length + 2 > config.maxTextTokens)
    fail("a training text is longer than its row", {
      where: `"${question} ${answer}"`,
      expected: `at most ${config.maxTextTokens - 2} tokens`,
      got: `${text.length}`,
      hint: "Raise maxTextTokens.",
    });
  return { text, questionLength: asked.length };
}
