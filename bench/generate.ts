/** Drawing with cached prefixes and a codebook head against full forwards of padded rows; text with a cache against none. */

import { loadModel, type Model } from "fewstep";
import { i64 } from "fewstep/base";
import { argmax, blank, collect, decodeJacobi, decodeMasked, type Predictor, UNDECIDED } from "fewstep/decode";
import {
  additiveMask,
  imagePredictor,
  positionsFrom,
  predictNextMask,
  questionIds,
  textPredictor,
  textToImageIds,
  understandingMask,
  vocabularyOf,
} from "fewstep/models/showo";
import { median, table } from "./report.ts";

const PROMPT = "a photo of a red car left of a blue bird on grass";
const STEPS = [16, 8, 4, 2];

export interface GenerateFigures {
  drawing: { steps: number; guidance: number; cached: number; plain: number; ratio: number }[];
  text: { decoding: string; cached: number; plain: number; ratio: number }[];
}

export async function benchGenerate({
  rounds,
}: {
  rounds: number;
}): Promise<{ figures: GenerateFigures; text: string }> {
  const model = await loadModel(undefined, { host: "inline" });
  const drawing: GenerateFigures["drawing"] = [];
  for (const guidance of [0, 1])
    for (const steps of STEPS) {
      const draw = async (predictor: Predictor) =>
        void (await collect(
          decodeMasked(predictor, blank(1, predictorSlots(model)), { passes: steps, sample: argmax }),
        ));
      const [cached, plain] = await inTurns(rounds, [
        async () => draw(await imagePredictor(model.transformer, { prompts: [model.text.encode(PROMPT)], guidance })),
        () => draw(plainDrawing(model, guidance)),
      ]);
      drawing.push({ steps, guidance, cached, plain, ratio: plain / cached });
    }

  const slots = 24;
  const prompt = questionIds(
    model.config.showo,
    new Int32Array(predictorSlots(model)),
    model.text.encode("USER: \ndescribe the picture. ASSISTANT:"),
  );
  const text: GenerateFigures["text"] = [];
  for (const block of [1, 4, 8, 16]) {
    const write = async (predictor: Predictor) =>
      void (await collect(
        decodeJacobi(predictor, blank(1, slots), {
          block,
          sample: argmax,
          guess: ({ start, end }) => new Int32Array(end - start),
        }),
      ));
    const [cached, plain] = await inTurns(rounds, [
      async () => write(await textPredictor(model.transformer, { prompt, slots })),
      () => write(plainText(model, prompt)),
    ]);
    text.push({
      decoding: block === 1 ? "autoregressive" : `Jacobi, block ${block}`,
      cached,
      plain,
      ratio: plain / cached,
    });
  }
  await model.dispose();

  const draws = drawing.map((d) => [d.steps, d.guidance, d.cached.toFixed(1), d.plain.toFixed(1), d.ratio.toFixed(2)]);
  const texts = text.map((t) => [t.decoding, t.cached.toFixed(1), t.plain.toFixed(1), t.ratio.toFixed(2)]);
  return {
    figures: { drawing, text },
    text: [
      table(["steps", "guidance", "ms a picture", "ms, full forwards", "ratio"], draws),
      "",
      table([`${slots} tokens of text`, "ms", "ms, full forwards", "ratio"], texts),
    ].join("\n"),
  };
}

const predictorSlots = (model: Model) => model.config.showo.imageTokens;

/** Median milliseconds of each, run in turns so that a busy moment meets all of them. */
async function inTurns(rounds: number, works: readonly (() => Promise<void>)[]): Promise<number[]> {
  const times: number[][] = works.map(() => []);
  for (let round = -1; round < rounds; round++)
    for (const [i, work] of works.entries()) {
      const start = performance.now();
      await work();
      if (round >= 0) times[i].push(performance.now() - start);
    }
  return times.map(median);
}

/** The published way: padded rows, nothing cached, logits of the whole vocabulary. */
function plainDrawing({ transformer, config: { showo }, text }: Model, guidance: number): Predictor {
  const vocabulary = vocabularyOf(showo);
  const prompts = guidance ? [text.encode(PROMPT), []] : [text.encode(PROMPT)];
  return {
    vocab: showo.codebookSize,
    async predict({ ids_BL }) {
      const rows = prompts.map((prompt) => textToImageIds(showo, prompt, ids_BL));
      const length = rows[0].length;
      const { logits } = await (await transformer.full()).run({
        ids: i64([rows.length, length], rows.flat()),
        positions: positionsFrom(0, length),
        bias: additiveMask(predictNextMask(rows, vocabulary, { hidePads: true })),
      });
      const all = logits.data as Float32Array;
      const out = new Float32Array(showo.imageTokens * showo.codebookSize);
      for (let cell = 0; cell < showo.imageTokens; cell++)
        for (let code = 0; code < showo.codebookSize; code++) {
          const at = (length - 1 - showo.imageTokens + cell) * vocabulary.size + vocabulary.image + code;
          out[cell * showo.codebookSize + code] = guidance
            ? (1 + guidance) * all[at] - guidance * all[at + length * vocabulary.size]
            : all[at];
        }
      return out;
    },
    settle() {},
  };
}

function plainText({ transformer, config: { showo } }: Model, prompt: readonly number[]): Predictor {
  const vocabulary = vocabularyOf(showo);
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
