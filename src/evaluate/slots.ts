/** Counts the slots that a model evaluates while it answers: what decoding costs where time says little. */
import { describe, type Model, type ShowoModel } from "../tasks/index.ts";
import type { Reader } from "./understanding.ts";

/** The model as a reader whose answers tell how many tokens were computed after the prompt's own. One answer at a time. */
export function countingReader(model: Model): Reader {
  let slots = 0;
  const counted: ShowoModel = {
    ...model,
    transformer: {
      ...model.transformer,
      async text(columns) {
        const program = await model.transformer.text(columns);
        return {
          ...program,
          run(feeds, ...rest) {
            // The prompt is read first, with nothing before it.
            if (feeds.past_k_0.shape[1] > 0) slots += feeds.ids.shape[1];
            return program.run(feeds, ...rest);
          },
        };
      },
    },
  };
  return {
    config: model.config,
    async describe(picture, question, options) {
      slots = 0;
      const answer = await describe(counted, picture, question, options);
      return { ...answer, slots };
    },
  };
}
