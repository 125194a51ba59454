/** Texts of lessons as token ids, and the vocabulary that is made from them. */
import { fail, type Rng } from "../base/index.ts";
import { questionText, type ShowoConfig } from "../models/showo/index.ts";
import { type Tokenizer, type TokenizerJson, trainBpe } from "../text/index.ts";
import type { Corpus, Dialogue } from "./source.ts";

/** A byte-level BPE vocabulary of at most `size` ids from everything the source says. */
export function trainVocabulary({ prompts, dialogues }: Corpus, size: number): TokenizerJson {
  return trainBpe(
    [...prompts, ...dialogues.map(({ question, answer }) => `${questionText(question)} ${answer}`)],
    size,
  );
}

/** Text slots that hold every dialogue and prompt: ids, bos and eos. */
export function slotsFor({ prompts, dialogues }: Corpus, tokenizer: Tokenizer): number {
  const lengths = [
    ...prompts.map((prompt) => tokenizer.encode(prompt).length),
    ...dialogues.map(({ question, answer }) => tokenizer.encode(`${questionText(question)} ${answer}`).length),
  ];
  return lengths.reduce((a, b) => Math.max(a, b), 0) + 2;
}

export interface DialogueIds {
  text: number[];
  /** How many of them are the question. */
  questionLength: number;
  /** What stands in the row in place of the text, as long as it; the text is still what is learnt. */
  seen?: number[];
}

/**
 * A dialogue with a guess of its answer as Jacobi iteration has it on its way: first ids that are right, and behind them
 * any of the right ids, of the question (where first guesses come from) and of the answer out of place.
 */
export function withGuess({ text, questionLength }: DialogueIds, endOfText: number, rng: Rng): DialogueIds {
  const answer = text.slice(questionLength);
  const first = [...text.slice(0, questionLength), endOfText];
  const settled = rng.int(answer.length);
  // Half of all guesses are first ones.
  const right = Math.max(0, 2 * rng.uniform() - 1);
  const other = () => (right > 0 && rng.uniform() < 0.5 ? rng.pick(answer) : rng.pick(first));
  const guess = answer.map((id, i) => (i < settled || rng.uniform() < right ? id : other()));
  return { text, questionLength, seen: [...text.slice(0, questionLength), ...guess] };
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
      hint: "Raise maxTextTokens or shorten the text.",
    });
  return { text, questionLength: asked.length };
}
