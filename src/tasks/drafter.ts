/** Whether two models can work on one text or picture. */
import { fail } from "../base/index.ts";
import type { ShowoModel } from "./model.ts";

/** Refuses a drafter that means something else by the same tokens, saying what differs. */
export function checkDrafter(model: ShowoModel, drafter: ShowoModel): void {
  const sizes = ["llmVocabSize", "endOfText", "codebookSize", "imageTokens"] as const;
  const [ours, theirs] = [model.config, drafter.config];
  const differences = sizes
    .filter((size) => ours.showo[size] !== theirs.showo[size])
    .map((size) => `${size} ${theirs.showo[size]} instead of ${ours.showo[size]}`);
  if (JSON.stringify(ours.magvit) !== JSON.stringify(theirs.magvit)) differences.push("another picture tokenizer");
  if (differences.length)
    fail("the drafter does not fit the model", {
      where: "drafter",
      expected: `tokens as those of ${ours.model}`,
      got: `${theirs.model}: ${differences.join(", ")}`,
      hint: "Take the model that it was distilled from, or into.",
    });
}
