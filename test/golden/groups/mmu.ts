/** Text after a picture: greedy, token by token and by Jacobi iteration. */
import {
  argmax,
  blank,
  collect,
  decodeJacobi,
  finish,
  iterates,
  type JacobiOptions,
  jacobiRound,
  type Span,
} from "fewstep/decode";
import { questionIds, questionText, textPredictor } from "fewstep/models/showo";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";
import type { Folder } from "../folder.ts";
import { seenPicturesIn } from "../ids.ts";

/** The prompt, made from the recorded picture and the question. */
function promptOf(c: Case, { config, tokenizer }: Folder): number[] {
  const { question } = c.params({ question: z.string() });
  const [picture] = seenPicturesIn(config, c.rows("prompt_ids"));
  const prompt = questionIds(config, picture, tokenizer.encode(questionText(question)));
  c.check("prompt_ids", prompt);
  return prompt;
}

/** Ids of `slots` greedy tokens, fewer if a stop id comes before. */
async function answer({ teacher }: Folder, prompt: number[], slots: number, options: Omit<JacobiOptions, "sample">) {
  const model = await textPredictor(teacher, { prompt, slots, columns: "all" });
  const { canvas, settled } = await finish(decodeJacobi(model, blank(1, slots), { ...options, sample: argmax }));
  return Array.from(canvas.ids_BL.subarray(0, settled));
}

export const mmu: Checks = {
  async ar_(c, folder) {
    const { max_new_tokens, eot_id } = c.params({ max_new_tokens: z.int(), eot_id: z.int() });
    const prompt = promptOf(c, folder);
    c.check("tokens", await answer(folder, prompt, max_new_tokens, { block: 1 }));
    c.check("tokens_until_eot", await answer(folder, prompt, max_new_tokens, { block: 1, stopId: eot_id }));
  },

  async jacobi_(c, folder) {
    const params = c.params({
      round_size: z.int(),
      rounds: z.int(),
      forward_passes: z.array(z.int()),
      eos_reached: z.array(z.boolean()),
    });
    const { round_size: block, rounds } = params;
    const { endOfText } = folder.config;
    const prompt = promptOf(c, folder);
    const slots = block * rounds;
    const guess = ({ start }: Span) => Int32Array.from(c.numbers(`init_tokens_${start / block}`));

    const model = await textPredictor(folder.teacher, { prompt, slots, columns: "all" });
    let canvas = blank(1, slots);
    for (let r = 0; r < rounds; r++) {
      const span = { start: r * block, end: (r + 1) * block };
      canvas.ids_BL.set(guess(span), span.start);
      const round = await collect(jacobiRound(model, canvas, span, { sample: argmax }));
      const trajectory = iterates(round);
      c.check(
        `trajectory_${r}`,
        trajectory.flatMap((ids) => Array.from(ids)),
      );
      c.expect(`forward_passes[${r}]`, trajectory.length, params.forward_passes[r]);
      canvas = round.at(-1)!.canvas;
      const ended = canvas.ids_BL.subarray(0, span.end).includes(endOfText);
      c.expect(`eos_reached[${r}]`, ended, params.eos_reached[r]);
    }
    const whole = await answer(folder, prompt, slots, { block, guess, stopId: endOfText });
    c.check("answer", whole.at(-1) === endOfText ? whole.slice(0, -1) : whole);
  },
};
