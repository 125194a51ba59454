/**
 * A sentence becomes a picture: text to ids, an undecided grid of image tokens, denoising steps that decide it, tokens
 * to pixels.
 */
import { fail } from "../base/index.ts";
import { blank } from "../decode/index.ts";
import { gridSide } from "../models/showo/index.ts";
import {
  cellsOf,
  type DrawResult,
  type DrawRun,
  denoise,
  drawResult,
  type ImageStep,
  imageStep,
  rowsFor,
} from "./drawing.ts";
import type { ShowoModel } from "./model.ts";
import { readPrompt } from "./prompt.ts";
import { createRun } from "./run.ts";
import { type DrawOptions, drawSettings } from "./settings.ts";
import { stopwatch } from "./timing.ts";

/**
 * Draws `n` pictures of each prompt; the empty prompt draws anything. A picture depends on its prompt, its seed and the
 * settings alone, not on what is drawn beside it. Errors: BAD_INPUT naming the option, ABORTED.
 */
export function generateImage(
  model: ShowoModel,
  prompt: string | readonly string[],
  options: DrawOptions = {},
): DrawRun {
  return createRun((signal) => generate(model, prompt, options, signal), options.signal);
}

async function* generate(
  model: ShowoModel,
  prompt: string | readonly string[],
  options: DrawOptions,
  signal: AbortSignal,
): AsyncGenerator<ImageStep, DrawResult> {
  const clock = stopwatch();
  const settings = drawSettings(model.config, options);
  const prompts = (Array.isArray(prompt) ? prompt : [prompt]).map((text) => readPrompt(model, text));
  if (prompts.length === 0) fail("there is nothing to draw", { where: "prompt", expected: "at least one prompt" });

  const rows = prompts.flatMap((one) => rowsFor(one, settings));
  const side = gridSide(model.config.showo);
  const grid = { height: side, width: side };
  let last: ImageStep | undefined;
  for await (const state of denoise(model, rows, blank(rows.length, side * side), settings, { clock, signal })) {
    last = imageStep(model, { index: state.pass, total: settings.steps, grid }, cellsOf(state), clock);
    yield last;
  }

  const warnings = prompts.flatMap((one) => one.warnings);
  return drawResult(model, last!, rows, settings, { task: "generate" }, { clock, warnings });
}
