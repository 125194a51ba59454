/** What all drawing has in common: denoising in batches, steps that can be looked at, the pictures at the end. */
import {
  type Canvas,
  canvasOf,
  categorical,
  decodeMasked,
  handOver,
  type MaskedState,
  type Noise,
  type Predictor,
  seeded,
  UNDECIDED,
} from "../decode/index.ts";
import type { Picture } from "../image/index.ts";
import { imagePredictor } from "../models/showo/index.ts";
import { checkDrafter } from "./drafter.ts";
import type { ShowoModel } from "./model.ts";
import { drawTokens, type GeneratedImage, generatedImage, type ImageSettings } from "./picture.ts";
import { readPrompt } from "./prompt.ts";
import type { Run } from "./run.ts";
import { type DrawSettings, wholeNumber } from "./settings.ts";
import type { Stopwatch, Timings } from "./timing.ts";

/** One denoising step of all pictures of a run. */
export interface ImageStep {
  /** 1 ... total. */
  readonly index: number;
  readonly total: number;
  /** Above 0, up to 1. */
  readonly progress: number;
  /** Cells of a picture. */
  readonly grid: { readonly height: number; readonly width: number };
  /** Codebook ids of each picture, row by row, every cell decided: what is drawn if this is the last step. */
  readonly tokens: readonly Int32Array[];
  /** For each picture, 1 where the cell is still open and will be decided again. */
  readonly mask: readonly Uint8Array[];
  /** For each picture, the probability the model gave each pick; 1 where the cell was known. */
  readonly confidence: readonly Float32Array[];
  /** The picture that `tokens` make, decoded when first asked for. */
  image(row?: number): Promise<Picture>;
}

export interface DrawResult {
  /** Prompt by prompt, `n` of each. */
  readonly images: readonly GeneratedImage[];
  /** Seed of the first picture of each prompt. */
  readonly seed: number;
  readonly steps: number;
  /** Milliseconds: total, encode (a given picture to tokens), model (forward passes), decode (tokens to pixels). */
  readonly timings: Timings;
  /** What a person should know: text that was cut, words the model does not know. */
  readonly warnings: readonly string[];
}

export type DrawRun = Run<ImageStep, DrawResult>;

/** One picture to draw. */
export interface Row {
  readonly prompt: { readonly text: string; readonly ids: readonly number[] };
  readonly seed: number;
}

/** `n` rows for a prompt, with seeds counting up. */
export const rowsFor = (prompt: Row["prompt"], { seed, n }: DrawSettings): Row[] =>
  Array.from({ length: n }, (_, i) => ({ prompt, seed: seed + i }));

/** Decides the open cells of `canvas`, one row of it for each of `rows`. Another `round` has other noise. */
export async function* denoise(
  model: ShowoModel,
  rows: readonly Row[],
  canvas: Canvas,
  settings: DrawSettings,
  { clock, signal, round = 0 }: { clock: Stopwatch; signal: AbortSignal; round?: number },
): AsyncGenerator<MaskedState, void> {
  const { steps: passes, guidance, topK, temperature, batchSize, draft } = settings;
  const seeds = rows.map((row) => row.seed);
  const noise = (purpose: "sample" | "remask"): Noise => {
    const draw = seeded(seeds, purpose);
    return (pass, row, slot) => draw(round * passes + pass, row, slot);
  };
  const asked = (who: ShowoModel, weight: number, prompts: readonly (readonly number[])[]) =>
    clock.measure("model", () =>
      inBatches(prompts, batchSize, (some) => imagePredictor(who.transformer, { prompts: some, guidance: weight })),
    );
  let predictor = await asked(
    model,
    guidance,
    rows.map((row) => row.prompt.ids),
  );
  if (draft) {
    checkDrafter(model, draft.model);
    const theirs = rows.map((row) => readPrompt(draft.model, row.prompt.text).ids);
    const drafter = await asked(draft.model, draft.guidance, theirs);
    predictor = handOver(drafter, predictor, (_, progress) => progress > (draft.steps + 0.5) / passes);
  }
  yield* decodeMasked(timed(predictor, clock), canvas, {
    passes,
    sample: categorical({ noise: noise("sample"), topK }),
    schedule: settings.schedule,
    noise: noise("remask"),
    temperature,
    signal,
  });
}

/** A predictor of many rows made of predictors of `size` rows, asked one after the other. */
async function inBatches<T>(
  rows: readonly T[],
  size: number,
  predictorFor: (rows: readonly T[]) => Promise<Predictor>,
): Promise<Predictor> {
  const starts = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => i * size);
  const predictors: Predictor[] = [];
  for (const start of starts) predictors.push(await predictorFor(rows.slice(start, start + size)));
  if (predictors.length === 1) return predictors[0];
  const [{ vocab }] = predictors;
  return {
    vocab,
    async predict({ rows, slots, ids_BL }, span, progress) {
      const logits_BTV = new Float32Array(rows * (span.end - span.start) * vocab);
      for (const [i, start] of starts.entries()) {
        const end = Math.min(start + size, rows);
        const part = canvasOf(end - start, slots, ids_BL.slice(start * slots, end * slots));
        const logits = await predictors[i].predict(part, span, progress);
        logits_BTV.set(logits, (start * logits_BTV.length) / rows);
      }
      return logits_BTV;
    },
    settle() {},
  };
}

const timed = (predictor: Predictor, clock: Stopwatch): Predictor => ({
  ...predictor,
  predict: (canvas, span, progress) => clock.measure("model", () => predictor.predict(canvas, span, progress)),
});

export type StepCells = Pick<ImageStep, "tokens" | "mask" | "confidence">;

/** What a state says of its canvas, picture by picture. */
export function cellsOf({ canvas: { rows, slots, ids_BL }, sampled, sureness_BL }: MaskedState): StepCells {
  const each = <T>(make: (start: number, end: number) => T): T[] =>
    Array.from({ length: rows }, (_, row) => make(row * slots, (row + 1) * slots));
  return {
    tokens: each((start, end) => sampled.ids_BL.slice(start, end)),
    mask: each((start, end) => Uint8Array.from(ids_BL.subarray(start, end), (id) => Number(id === UNDECIDED))),
    confidence: each((start, end) => sureness_BL.slice(start, end).map((p) => Math.min(p, 1))),
  };
}

/** Adds pictures that are decoded when asked for. */
export function imageStep(
  model: ShowoModel,
  at: { index: number; total: number; grid: ImageStep["grid"] },
  cells: StepCells,
  clock: Stopwatch,
): ImageStep {
  const drawn: Promise<Picture>[] = [];
  return {
    ...at,
    ...cells,
    progress: at.index / at.total,
    image(row = 0) {
      wholeNumber("row", row, 0, cells.tokens.length - 1);
      return (drawn[row] ??= clock.measure("decode", () => drawTokens(model, cells.tokens[row], at.grid)));
    },
  };
}

/** The pictures of the last step, with how they were made. */
export async function drawResult(
  model: ShowoModel,
  last: ImageStep,
  rows: readonly Row[],
  settings: DrawSettings,
  made: Pick<ImageSettings, "task"> & Partial<ImageSettings>,
  { clock, warnings }: { clock: Stopwatch; warnings: readonly string[] },
): Promise<DrawResult> {
  const { steps, guidance, topK, temperature, draft } = settings;
  const drafted = draft && {
    drafter: draft.model.config.model,
    draftSteps: draft.steps,
    draftGuidance: draft.guidance,
  };
  const name = typeof settings.schedule === "string" ? settings.schedule : "custom";
  const images: GeneratedImage[] = [];
  for (const [i, { prompt, seed }] of rows.entries()) {
    const how = {
      model: model.config.model,
      prompt: prompt.text,
      seed,
      steps,
      guidance,
      topK,
      temperature,
      schedule: name,
      ...drafted,
    };
    images.push(generatedImage(await last.image(i), last.tokens[i], { ...how, ...made }));
  }
  return { images, seed: settings.seed, steps, timings: clock.read(), warnings: [...new Set(warnings)] };
}
