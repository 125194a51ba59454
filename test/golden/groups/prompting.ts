/** Layouts and labels of every kind of row. */
import { imageToTextRow, type TrainingRow, textRow, textToImageIds, textToImageRow } from "fewstep/models/showo";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";
import type { Folder } from "../folder.ts";
import { codesIn, labelCodesIn } from "../ids.ts";

/** The tokenised texts of a case, and the model's config with the case's text slots. */
function textsOf(c: Case, { config, tokenizer }: Folder) {
  const { texts, max_text_len } = c.params({ texts: z.array(z.string()), max_text_len: z.int() });
  return { texts: texts.map(tokenizer.encode), config: { ...config, maxTextTokens: max_text_len } };
}

function checkRows(c: Case, rows: readonly TrainingRow[]): void {
  c.check(
    "input_ids",
    rows.flatMap((row) => row.ids),
  );
  c.check(
    "labels",
    rows.flatMap((row) => row.labels),
  );
}

export const prompting: Checks = {
  prompt_t2i_gen(c, folder) {
    const { texts, config } = textsOf(c, folder);
    const codes = codesIn(config, c.rows("image_ids"));
    c.check(
      "input_ids",
      texts.flatMap((text, b) => textToImageIds(config, text, codes[b])),
    );
  },

  prompt_t2i(c, folder) {
    const { texts, config } = textsOf(c, folder);
    const { cond_dropout_prob } = c.params({ cond_dropout_prob: z.number() });
    const codes = codesIn(config, c.rows("image_ids"));
    const labels = labelCodesIn(config, c.rows("image_labels"));
    const uniforms = c.numbers("dropout_uniforms");
    checkRows(
      c,
      texts.map((text, b) => textToImageRow(config, text, codes[b], labels[b], uniforms[b] < cond_dropout_prob)),
    );
  },

  prompt_lm(c, folder) {
    const { texts, config } = textsOf(c, folder);
    const { max_seq_len } = c.params({ max_seq_len: z.int() });
    checkRows(
      c,
      texts.map((text) => textRow(config, text, max_seq_len)),
    );
  },

  prompt_mmu(c, folder) {
    const { texts, config } = textsOf(c, folder);
    const codes = codesIn(config, c.rows("image_ids"));
    checkRows(
      c,
      texts.map((text, b) => imageToTextRow(config, codes[b], text)),
    );
  },
};
