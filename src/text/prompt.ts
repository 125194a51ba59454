/** What a person typed, checked before anything is computed. Says what is wrong; cuts nothing silently. */
import { fail } from "../base/index.ts";

const MAX_PROMPT = 100_000;
const MAX_QUESTION = 1024;

/** A prompt as given; empty is allowed. Errors: not a string, broken Unicode, beyond any reason. */
export function cleanPrompt(text: unknown, where = "prompt"): string {
  if (typeof text !== "string")
    fail("not a text", { where, expected: "a string", got: text === null ? "null" : typeof text });
  if (text.length > MAX_PROMPT)
    fail("text too long", { where, expected: `at most ${MAX_PROMPT} characters`, got: `${text.length}` });
  const broken = text.search(/\p{Surrogate}/u);
  if (broken >= 0) fail("broken Unicode", { where, got: `half a surrogate pair at character ${broken}` });
  return text;
}

/** A question about a picture (Show-o spec section 3): one line, without `<image>` marks, at most 1024 characters. */
export function cleanQuestion(text: unknown, where = "question"): string {
  const question = cleanPrompt(text, where).replaceAll("\n", " ").replaceAll("<image>", "");
  if (question.length > MAX_QUESTION)
    fail("question too long", { where, expected: `at most ${MAX_QUESTION} characters`, got: `${question.length}` });
  return question;
}
