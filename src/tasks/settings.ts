/** What drawing can be told, checked, with the model's defaults. */
import { fail } from "../base/index.ts";
import { type Schedule, type ScheduleName, schedule } from "../decode/index.ts";
import type { ModelConfig } from "../models/index.ts";
import type { ShowoModel } from "./model.ts";

/** What is not given comes from the model's configuration. */
export interface DrawOptions {
  /** Forward passes, 1 to 1000. */
  steps?: number;
  /** Classifier-free guidance g: logits (1 + g) * asked - g * unasked. 0 asks once. */
  guidance?: number;
  /** Draw tokens from the k most likely ones only. */
  topK?: number;
  /** Noise in the choice of the cells that are drawn again; 0 keeps the surest. Default 1. */
  temperature?: number;
  /** Any whole number; the same seed gives the same picture. Default: random. */
  seed?: number;
  /** Pictures of each prompt, with seeds seed, seed + 1, ... Default 1. */
  n?: number;
  /** Share of cells still masked over time. Default cosine. */
  schedule?: ScheduleName | Schedule;
  /** Pictures that the model draws at once. Default 8; the pictures do not depend on it. */
  batchSize?: number;
  /** Another model that decides the first steps, such as the teacher of a distilled one. Its tokens must be the same. */
  drafter?: ShowoModel;
  /** Steps that the drafter decides, fewer than `steps`. Default 1. */
  draftSteps?: number;
  /** Guidance of the drafter. Default by its own configuration. */
  draftGuidance?: number;
  signal?: AbortSignal;
}

export interface DrawSettings {
  readonly steps: number;
  readonly guidance: number;
  readonly topK?: number;
  readonly temperature: number;
  readonly seed: number;
  readonly n: number;
  readonly schedule: ScheduleName | Schedule;
  readonly batchSize: number;
  readonly draft?: { readonly model: ShowoModel; readonly steps: number; readonly guidance: number };
}

export function wholeNumber(name: string, value: number, min: number, max: number): number {
  if (!(Number.isInteger(value) && value >= min && value <= max))
    fail(`bad ${name}`, { where: name, expected: `a whole number from ${min} to ${max}`, got: `${value}` });
  return value;
}

export function atLeastZero(name: string, value: number): number {
  if (!(value >= 0 && value < Infinity))
    fail(`bad ${name}`, { where: name, expected: "a number of at least 0", got: `${value}` });
  return value;
}

/** A given seed, or a random one. */
export const seedOr = (seed: number = Math.floor(Math.random() * 2 ** 32)): number =>
  wholeNumber("seed", seed, -(2 ** 48), 2 ** 48);

/** Options with the model's defaults, each checked. */
export function drawSettings({ defaults, showo }: ModelConfig, options: DrawOptions): DrawSettings {
  const topK = options.topK ?? defaults.topK;
  const which = options.schedule ?? "cosine";
  schedule(which);
  const steps = wholeNumber("steps", options.steps ?? defaults.steps, 1, 1000);
  return {
    steps,
    draft: draftSettings(steps, options),
    guidance: atLeastZero("guidance", options.guidance ?? defaults.guidance),
    topK: topK === undefined ? undefined : wholeNumber("topK", topK, 1, showo.codebookSize),
    temperature: atLeastZero("temperature", options.temperature ?? defaults.temperature ?? 1),
    seed: seedOr(options.seed),
    n: wholeNumber("n", options.n ?? 1, 1, 1000),
    schedule: which,
    batchSize: wholeNumber("batchSize", options.batchSize ?? 8, 1, 1000),
  };
}

function draftSettings(steps: number, { drafter, draftSteps, draftGuidance }: DrawOptions): DrawSettings["draft"] {
  if (!drafter) {
    if (draftSteps !== undefined || draftGuidance !== undefined)
      fail("there is no drafter", { where: "drafter", expected: "a model to go with draftSteps and draftGuidance" });
    return undefined;
  }
  return {
    model: drafter,
    steps: wholeNumber("draftSteps", draftSteps ?? 1, 0, steps - 1),
    guidance: atLeastZero("draftGuidance", draftGuidance ?? drafter.config.defaults.guidance),
  };
}
