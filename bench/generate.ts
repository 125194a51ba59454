/**
 * Drawing with cached prefixes, no padding and a codebook head against full forwards of padded rows; text with a cache
 * against none. Both twins decode the same tokens. Times are of all passes of the transformer and the choices between
 * them, the compilation of programs left out.
 */
import {
  argmax,
  blank,
  categorical,
  collect,
  decodeJacobi,
  decodeMasked,
  type Predictor,
  randomGuess,
  seeded,
} from "fewstep/decode";
import { gridSide, imagePredictor, textPredictor } from "fewstep/models/showo";
import { eventLoopGaps, type Gap } from "./gaps.ts";
import { plainImagePredictor, plainTextPredictor } from "./plain.ts";
import { inTurns, table } from "./report.ts";
import { openSubject, type Subject } from "./subject.ts";

const STEPS = [16, 8, 4, 2];
const BLOCKS = [1, 4, 8, 16];

/** Medians in milliseconds, and how many times faster the cached way is. */
interface Twins {
  cached: number;
  plain: number;
  ratio: number;
}

export interface GenerateFigures {
  model: string;
  drawing: ({ steps: number; guidance: number } & Twins)[];
  /** Milliseconds to turn the tokens of a picture into pixels, which comes on top. */
  pixels: number;
  text: ({ block: number; tokens: number; passes: number } & Twins)[];
  gaps: Gap[];
}

export async function benchGenerate({
  rounds,
}: {
  rounds: number;
}): Promise<{ figures: GenerateFigures; text: string }> {
  const subject = await openSubject();
  const side = gridSide(subject.transformer.config);
  const drawing: GenerateFigures["drawing"] = [];
  for (const guidance of [0, 1])
    for (const steps of STEPS)
      drawing.push({ steps, guidance, ...(await drawTwins(subject, steps, guidance, rounds)) });
  const [pixels] = await inTurns(rounds, [() => subject.tokenizer.decode(new Int32Array(side * side), side, side)]);
  const text: GenerateFigures["text"] = [];
  for (const block of BLOCKS) text.push({ block, ...(await textTwins(subject, block, rounds)) });
  await subject.dispose();
  const figures = { model: subject.name, drawing, pixels, text, gaps: await eventLoopGaps() };
  return { figures, text: show(figures) };
}

async function drawTwins({ transformer, prompt }: Subject, steps: number, guidance: number, rounds: number) {
  const draw = (predictor: Predictor) =>
    collect(
      decodeMasked(predictor, blank(1, transformer.config.imageTokens), {
        passes: steps,
        sample: categorical({ noise: seeded(1, "sample") }),
        noise: seeded(1, "remask"),
      }),
    );
  const [cached, plain] = await inTurns(rounds, [
    async () => draw(await imagePredictor(transformer, { prompts: [prompt], guidance })),
    () => draw(plainImagePredictor(transformer, prompt, guidance)),
  ]);
  return { cached, plain, ratio: plain / cached };
}

/** Answers all questions of the subject; a block of 1 is autoregression. */
async function textTwins({ transformer, questions }: Subject, block: number, rounds: number) {
  const { maxTextTokens: slots, endOfText: stopId } = transformer.config;
  let [tokens, passes] = [0, 0];
  const answer = async (predictorOf: (prompt: number[]) => Predictor | Promise<Predictor>) => {
    [tokens, passes] = [0, 0];
    for (const prompt of questions) {
      const guess = randomGuess([stopId], seeded(1, "guess"));
      const options = { block, sample: argmax, guess, stopId };
      const states = await collect(decodeJacobi(await predictorOf(prompt), blank(1, slots), options));
      tokens += states.at(-1)!.settled;
      passes += states.length;
    }
  };
  const [cached, plain] = await inTurns(rounds, [
    () => answer((prompt) => textPredictor(transformer, { prompt, slots })),
    () => answer((prompt) => plainTextPredictor(transformer, prompt)),
  ]);
  return { tokens, passes, cached, plain, ratio: plain / cached };
}

function show({ model, drawing, pixels, text, gaps }: GenerateFigures): string {
  const draws = drawing.map((d) => [d.steps, d.guidance, d.cached.toFixed(1), d.plain.toFixed(1), d.ratio.toFixed(2)]);
  const speed = (tokens: number, milliseconds: number) => (tokens / (milliseconds / 1000)).toFixed(0);
  const texts = text.map(({ block, tokens, passes, cached, plain, ratio }) => [
    block === 1 ? "one token a pass" : `Jacobi, blocks of ${block}`,
    (tokens / passes).toFixed(2),
    speed(tokens, cached),
    speed(tokens, plain),
    ratio.toFixed(2),
  ]);
  return [
    `Model: ${model}. Pixels of a picture take another ${pixels.toFixed(1)} ms.`,
    "",
    table(["steps", "guidance", "ms a picture", "ms, full forwards", "ratio"], draws),
    "",
    table(["text", "tokens a pass", "tokens/s", "tokens/s, full forwards", "ratio"], texts),
    "",
    table(
      ["in a thread of its own", "ms", "longest the caller's event loop was kept busy, ms"],
      gaps.map(({ what, ms, longest }) => [what, ms.toFixed(0), longest.toFixed(1)]),
    ),
  ].join("\n");
}
