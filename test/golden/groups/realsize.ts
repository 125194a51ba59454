/** One layer at the published width, and the published picture tokenizer, with weights from the hash rule. */
import type { NdArray } from "fewstep/base";
import { magvitParameters, type Shapes, showoParameters } from "fewstep/models";
import { MAGVIT_PRESETS, magvitPrograms } from "fewstep/models/magvit";
import { predictNextMask, SHOWO_PRESETS, showoPrograms, vocabularyOf } from "fewstep/models/showo";
import { z } from "zod";
import type { Checks } from "../checks.ts";
import type { Folder } from "../folder.ts";
import { checkForward } from "./forward.ts";
import { checkDecoding, checkEncoding } from "./magvit.ts";

/** Weights that are not stored but follow from their name and shape. */
const weightsOf =
  ({ procedural }: Folder, shapes: Shapes) =>
  (name: string): NdArray | undefined => {
    const shape = shapes.get(name);
    return shape && procedural(name, shape);
  };

export const realsize: Checks = {
  async realsize_layer(c, folder) {
    const size = z.int().min(1);
    const params = c.params({
      vocab_size: size,
      llm_vocab_size: size,
      codebook_size: size,
      num_vq_tokens: size,
      num_hidden_layers: size,
    });
    const config = {
      ...SHOWO_PRESETS["showo-256"],
      llmVocabSize: params.llm_vocab_size,
      codebookSize: params.codebook_size,
      imageTokens: params.num_vq_tokens,
      layers: params.num_hidden_layers,
    };
    const vocabulary = vocabularyOf(config);
    c.expect("vocab_size", vocabulary.size, params.vocab_size);
    const programs = showoPrograms(config, weightsOf(folder, showoParameters(config)));
    await checkForward(c, programs, predictNextMask(c.rows("input_ids"), vocabulary, { hidePads: true }));
    await programs.dispose();
  },

  async realsize_magvit(c, folder) {
    const { resolution } = c.params({ resolution: z.int() });
    const config = { ...MAGVIT_PRESETS.magvitv2, resolution };
    const weights = weightsOf(folder, magvitParameters(config));
    await checkEncoding(c, config, weights);
    const programs = magvitPrograms(config, weights);
    await checkDecoding(c, programs, "ids", "decoded");
    await programs.dispose();
  },
};
