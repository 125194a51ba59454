/** The plain twins of the predictors that users run: nothing cached, full forwards over the whole vocabulary. */
import { i64 } from "fewstep/base";
import { type Predictor, UNDECIDED } from "fewstep/decode";
import {
  additiveMask,
  positionsFrom,
  predictNextMask,
  type ShowoPrograms,
  textToImageIds,
  understandingMask,
  vocabularyOf,
} from "fewstep/models/showo";

/** Drawing as published: rows padded to their full length, one with the prompt and, guided, one without. */
export function plainImagePredictor(
  transformer: ShowoPrograms,
  prompt: readonly number[],
  guidance: number,
): Predictor {
  const { config } = transformer;
  const vocabulary = vocabularyOf(config);
  const prompts = guidance ? [prompt, []] : [prompt];
  return {
    vocab: config.codebookSize,
    async predict({ ids_BL }) {
      const rows = prompts.map((text) => textToImageIds(config, text, ids_BL));
      const length = rows[0].length;
      const { logits } = await (await transformer.full()).run({
        ids: i64([rows.length, length], rows.flat()),
        positions: positionsFrom(0, length),
        bias: additiveMask(predictNextMask(rows, vocabulary, { hidePads: true })),
      });
      const all = logits.data as Float32Array;
      const out = new Float32Array(config.imageTokens * config.codebookSize);
      for (let cell = 0; cell < config.imageTokens; cell++)
        for (let code = 0; code < config.codebookSize; code++) {
          const at = (length - 1 - config.imageTokens + cell) * vocabulary.size + vocabulary.image + code;
          out[cell * config.codebookSize + code] = guidance
            ? (1 + guidance) * all[at] - guidance * all[at + length * vocabulary.size]
            : all[at];
        }
      return out;
    },
    settle() {},
  };
}

/** Text without a cache: prompt and answer so far, anew in every pass. */
export function plainTextPredictor(transformer: ShowoPrograms, prompt: readonly number[]): Predictor {
  const vocabulary = vocabularyOf(transformer.config);
  return {
    vocab: vocabulary.text,
    async predict({ ids_BL }, { start, end }) {
      const answer = Array.from(ids_BL.subarray(0, end - 1)).filter((id) => id !== UNDECIDED);
      const row = [...prompt, ...answer];
      const { logits } = await (await transformer.full()).run({
        ids: i64([1, row.length], row),
        positions: positionsFrom(0, row.length),
        bias: additiveMask(understandingMask([row], vocabulary)),
      });
      const out = new Float32Array((end - start) * vocabulary.text);
      for (let slot = start; slot < end; slot++) {
        const at = (prompt.length + slot - 1) * vocabulary.size;
        out.set((logits.data as Float32Array).subarray(at, at + vocabulary.text), (slot - start) * vocabulary.text);
      }
      return out;
    },
    settle() {},
  };
}
