/** Who may attend to whom, and the logits of full forward passes. */
import { i64, type NdArray } from "fewstep/base";
import {
  additiveMask,
  clipMask,
  imageToTextRow,
  positionsFrom,
  predictNextMask,
  type ShowoPrograms,
  textRow,
  textToImageIds,
  understandingMask,
  vocabularyOf,
} from "fewstep/models/showo";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";
import { picturesIn, seenPicturesIn } from "../ids.ts";

/** Checks a mask [B, L, L] and the logits that it leads to. */
export async function checkForward(c: Case, programs: ShowoPrograms, mask: NdArray<"bool">): Promise<void> {
  const rows = c.rows("input_ids");
  const length = rows[0].length;
  c.check("mask_allowed", mask);
  const program = await programs.full();
  const { logits } = await program.run({
    ids: i64([rows.length, length], rows.flat()),
    positions: positionsFrom(0, length),
    bias: additiveMask(mask),
  });
  c.check("logits", logits);
}

/** Image features that the CLIP variants put between system prompt and question. */
const CLIP_FEATURES = 576;

export const forward: Checks = {
  async fwd_t2i(c, { config, tokenizer, teacher }) {
    const { prompts } = c.params({ prompts: z.array(z.string()) });
    const rows = c.rows("input_ids");
    const pictures = picturesIn(config, rows);
    const texts = [...prompts.map(tokenizer.encode), ...prompts.map(() => [])];
    c.check(
      "input_ids",
      texts.flatMap((text, b) => textToImageIds(config, text, pictures[b])),
    );
    await checkForward(c, teacher, predictNextMask(rows, vocabularyOf(config), { hidePads: true }));
  },

  async fwd_lm(c, { config, tokenizer, teacher }) {
    const { texts, max_seq_len } = c.params({ texts: z.array(z.string()), max_seq_len: z.int() });
    const made = texts.map((text) => textRow(config, tokenizer.encode(text), max_seq_len));
    c.check(
      "input_ids",
      made.flatMap(({ ids }) => ids),
    );
    c.check(
      "labels",
      made.flatMap(({ labels }) => labels),
    );
    await checkForward(c, teacher, predictNextMask(c.rows("input_ids"), vocabularyOf(config), { hidePads: false }));
  },

  async fwd_mmu(c, { config, tokenizer, teacher }) {
    const { texts } = c.params({ texts: z.array(z.string()) });
    const rows = c.rows("input_ids");
    const pictures = seenPicturesIn(config, rows);
    const made = texts.map((text, b) => imageToTextRow(config, pictures[b], tokenizer.encode(text)));
    c.check(
      "input_ids",
      made.flatMap(({ ids }) => ids),
    );
    c.check(
      "labels",
      made.flatMap(({ labels }) => labels),
    );
    await checkForward(c, teacher, understandingMask(rows, vocabularyOf(config)));
  },

  mask_predict_next_keep_pad(c, { config }) {
    c.check("mask_allowed", predictNextMask(c.rows("input_ids"), vocabularyOf(config), { hidePads: false }));
  },

  mask_additive_values(c, { config }) {
    const { id_dtypes } = c.params({ id_dtypes: z.array(z.enum(["int64", "int32"])) });
    const mask = predictNextMask(c.rows("input_ids"), vocabularyOf(config), { hidePads: true });
    for (const dtype of id_dtypes)
      c.check(`additive_${dtype}`, additiveMask(mask, dtype === "int64" ? undefined : -(2 ** 31)));
  },

  mask_mmu_vit(c) {
    const { length, system_prompt_len } = c.params({ length: z.int(), system_prompt_len: z.int() });
    const visible = (showSystem: boolean) => {
      const { data } = clipMask(length, system_prompt_len, CLIP_FEATURES, showSystem);
      return Array.from({ length }, (_, i) => data.subarray(i * length, (i + 1) * length).reduce((n, x) => n + x, 0));
    };
    c.check("visible_per_row_turbo", visible(true));
    c.check("visible_per_row_showo", visible(false));
  },
};
