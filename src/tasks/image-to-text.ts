/**
 * A picture becomes a sentence: pixels to image tokens, picture and question as one prompt, an answer decoded by Jacobi
 * iteration, token by token, or from the drafts of a quicker model, ids to text as they settle.
 */
import { fail } from "../base/index.ts";
import {
  adaptiveWindow,
  argmax,
  blank,
  categorical,
  type DraftedState,
  decodeDrafted,
  decodeJacobi,
  decodeSliding,
  type Predictor,
  randomGuess,
  type Sampler,
  seeded,
  type Trajectory,
  type Window,
} from "../decode/index.ts";
import { questionIds, type ShowoPrograms, textPredictor } from "../models/showo/index.ts";
import { detokenizer } from "../text/index.ts";
import { checkDrafter } from "./drafter.ts";
import type { ShowoModel } from "./model.ts";
import { textPassCost } from "./pass-cost.ts";
import { type ImageLike, imageTokens, readImage } from "./picture.ts";
import { readQuestion } from "./prompt.ts";
import { createRun, type Run } from "./run.ts";
import { atLeastZero, seedOr, wholeNumber } from "./settings.ts";
import { stopwatch, type Timings } from "./timing.ts";

export interface DescribeOptions {
  /** Several tokens a pass (default) or one; without temperature both give the same text. */
  decoding?: "jacobi" | "ar";
  /**
   * Tokens that a Jacobi round corrects at once; "auto" (default) slides a window whose size follows from what a pass
   * costs here and how many tokens it settles. With a drafter: tokens that are drafted and checked at once, 16 by default.
   */
  block?: number | "auto";
  /** A quicker model whose drafts this one checks. The text stays exactly this model's. */
  drafter?: ShowoModel;
  /** Passes of the drafter over each draft. Default 2. */
  draftPasses?: number;
  /** 0 (default) takes the most likely token. */
  temperature?: number;
  /** Choose among the k most likely tokens only; for a temperature above 0. */
  topK?: number;
  /** Of the choices and the first guesses. Default: random. */
  seed?: number;
  /** Longest answer, 1 to 4096. Default by the model. */
  maxTokens?: number;
  signal?: AbortSignal;
}

/** What one forward pass settled. */
export interface TextStep {
  /** The answer so far. */
  readonly text: string;
  /** What this pass added to it. */
  readonly delta: string;
  /** What the model guesses comes next; may still change. */
  readonly draft: string;
  /** Forward passes so far. */
  readonly pass: number;
  /** Tokens settled so far. */
  readonly tokens: number;
}

export interface TextResult {
  readonly text: string;
  /** The question that was answered. */
  readonly question: string;
  readonly tokens: number;
  readonly passes: number;
  /** Passes of the drafter, where there is one. */
  readonly draftPasses?: number;
  /** Slots that the model's passes computed; one a token is the least. */
  readonly slots: number;
  readonly tokensPerPass: number;
  /** Whether the model ended the text or it reached `maxTokens`. */
  readonly finish: "stop" | "length";
  readonly seed: number;
  /** Milliseconds: total, encode (picture to tokens), text (everything after). */
  readonly timings: Timings;
  readonly warnings: readonly string[];
}

export type TextRun = Run<TextStep, TextResult>;

/**
 * Answers a question about a picture; without one, describes it. A picture that is not square is cut to its middle.
 * Errors: BAD_INPUT naming the option, what `readPicture` refuses, ABORTED.
 */
export function describe(
  model: ShowoModel,
  image: ImageLike,
  question?: string,
  options: DescribeOptions = {},
): TextRun {
  return createRun((signal) => answer(model, image, question, options, signal), options.signal);
}

async function* answer(
  model: ShowoModel,
  image: ImageLike,
  question: string | undefined,
  options: DescribeOptions,
  signal: AbortSignal,
): AsyncGenerator<TextStep, TextResult> {
  const clock = stopwatch();
  const { showo } = model.config;
  const settings = settingsOf(model, options);
  const { maxTokens, seed, sample } = settings;
  const asked = readQuestion(model, question);
  const picture = await readImage(image);
  const codes = await clock.measure("encode", () => imageTokens(model, picture));

  const prompt = questionIds(showo, codes, asked.ids);
  const predictor = await clock.measure("text", () => textPredictor(model.transformer, { prompt, slots: maxTokens }));
  const guess = randomGuess([...asked.ids, showo.endOfText], seeded(seed, "guess"));
  const common = { sample, guess, stopId: showo.endOfText, signal };
  const states = await clock.measure("text", () => decode(model, predictor, prompt, settings, common));
  const stream = detokenizer(model.text);
  let [text, tokens, passes, draftPasses, stopped] = ["", 0, 0, 0, false];
  for (;;) {
    const { done, value: state } = await clock.measure("text", () => states.next());
    if (done) break;
    const fresh = state.canvas.ids_BL.slice(tokens, state.settled);
    stopped = fresh.at(-1) === showo.endOfText;
    const ended = stopped || state.settled === maxTokens;
    const said = stream.push(stopped ? fresh.subarray(0, -1) : fresh) + (ended ? stream.end() : "");
    const delta = text === "" ? said.trimStart() : said;
    text += delta;
    tokens = state.settled;
    passes = state.pass;
    draftPasses = state.draftPasses ?? 0;
    yield {
      text,
      delta,
      draft: draftOf(model, state.canvas.ids_BL.subarray(tokens, state.span.end)),
      pass: passes,
      tokens,
    };
  }

  return {
    text,
    question: asked.text,
    tokens,
    passes,
    ...(settings.drafter && { draftPasses }),
    slots: predictor.evaluated,
    tokensPerPass: tokens / passes,
    finish: stopped ? "stop" : "length",
    seed,
    timings: clock.read(),
    warnings: asked.warnings,
  };
}

type Settings = ReturnType<typeof settingsOf>;
type Common = Pick<Parameters<typeof decodeSliding>[2], "sample" | "guess" | "stopId" | "signal">;

async function decode(
  model: ShowoModel,
  predictor: Predictor,
  prompt: readonly number[],
  { maxTokens: slots, block, drafter, draftPasses }: Settings,
  common: Common,
): Promise<Trajectory<Omit<DraftedState, "draftPasses"> & Partial<DraftedState>>> {
  const canvas = blank(1, slots);
  if (drafter) {
    const drafts = await textPredictor(drafter.transformer, { prompt, slots });
    return decodeDrafted(predictor, drafts, canvas, { ...common, block: block === "auto" ? 16 : block, draftPasses });
  }
  if (block !== "auto") return decodeJacobi(predictor, canvas, { ...common, block });
  return decodeSliding(predictor, canvas, { ...common, window: await windowOf(model.transformer) });
}

/** What is known of a model's passes is kept while the model is. */
const windows = new WeakMap<ShowoPrograms, Promise<Window>>();

function windowOf(transformer: ShowoPrograms): Promise<Window> {
  const known = windows.get(transformer);
  if (known) return known;
  const window = textPassCost(transformer).then((cost) => adaptiveWindow({ cost }));
  windows.set(transformer, window);
  return window;
}

function settingsOf(model: ShowoModel, options: DescribeOptions) {
  const { config, text } = model;
  const { decoding = "jacobi", temperature = 0, topK } = options;
  if (decoding !== "jacobi" && decoding !== "ar")
    fail("unknown decoding", { where: "decoding", expected: "jacobi or ar", got: String(decoding) });
  const { block = "auto", drafter, draftPasses = 2 } = options;
  if (drafter) checkDrafter(model, drafter);
  if (drafter && decoding === "ar") fail("a drafter needs decoding jacobi", { where: "decoding", got: decoding });
  const seed = seedOr(options.seed);
  if (topK !== undefined) wholeNumber("topK", topK, 1, text.size);
  const choose: Sampler =
    atLeastZero("temperature", temperature) === 0
      ? argmax
      : categorical({ noise: seeded(seed, "sample"), temperature, topK });
  // The model may have room for more ids than the tokenizer has.
  const sample: Sampler = (logits_V, pass, row, slot) => choose(logits_V.subarray(0, text.size), pass, row, slot);
  const longest = config.text.maxTokens ?? config.showo.maxTextTokens;
  return {
    seed,
    sample,
    drafter,
    draftPasses: wholeNumber("draftPasses", draftPasses, 1, 1024),
    block: decoding === "ar" ? 1 : block === "auto" ? block : wholeNumber("block", block, 1, 1024),
    maxTokens: wholeNumber("maxTokens", options.maxTokens ?? longest, 1, 4096),
  };
}

/** Guessed ids as text, up to where the guess ends it. */
function draftOf({ text, config }: ShowoModel, guess: Int32Array): string {
  const stop = guess.findIndex((id) => id < 0 || id === config.showo.endOfText);
  return text.decode(stop < 0 ? guess : guess.subarray(0, stop));
}
