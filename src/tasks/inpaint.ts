/**
 * Part of a picture is drawn anew: picture to tokens, tokens under the mask undecided, denoising, tokens to pixels
 * (Show-o spec section 5). All of the picture passes through the tokenizer; nothing is pasted back.
 */
import { fail } from "../base/index.ts";
import { blank, UNDECIDED } from "../decode/index.ts";
import { type Grey, type MaskMode, maskToCells, type Picture, readMask } from "../image/index.ts";
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
import { type ImageLike, imageTokens, readImage } from "./picture.ts";
import { readPrompt } from "./prompt.ts";
import { createRun } from "./run.ts";
import { type DrawOptions, drawSettings } from "./settings.ts";
import { stopwatch } from "./timing.ts";

/** A path, the bytes of a picture file, or one byte a pixel with 255 where to draw. */
export type MaskLike = string | Uint8Array | Grey;

export interface InpaintOptions extends DrawOptions {
  /** What marks the part to draw in a mask file. Default "auto": transparency if there is any, else white. */
  maskMode?: MaskMode;
}

/**
 * Draws what `prompt` says where the mask is set. A cell is drawn when at least half of it is masked; a picture that is
 * not square is cut to its middle. Errors: a mask that marks no cell or is shaped unlike the picture; as `generateImage`.
 */
export function inpaint(
  model: ShowoModel,
  image: ImageLike,
  mask: MaskLike,
  prompt: string,
  options: InpaintOptions = {},
): DrawRun {
  return createRun((signal) => redraw(model, image, mask, prompt, options, signal), options.signal);
}

async function* redraw(
  model: ShowoModel,
  image: ImageLike,
  mask: MaskLike,
  prompt: string,
  options: InpaintOptions,
  signal: AbortSignal,
): AsyncGenerator<ImageStep, DrawResult> {
  const clock = stopwatch();
  const settings = drawSettings(model.config, options);
  const text = readPrompt(model, prompt);
  const picture = await readImage(image);
  const marked = mask instanceof Uint8Array || typeof mask === "string" ? await readMask(mask, options.maskMode) : mask;
  checkShape(marked, picture);

  const { resolution } = model.config.magvit;
  const side = gridSide(model.config.showo);
  const open = maskToCells(marked, side, resolution).data;
  if (!open.includes(1))
    fail("the mask marks nothing to draw", {
      where: "mask",
      expected: `at least half of one of the ${side} x ${side} cells`,
      hint: "White, or transparent, is what will be drawn.",
    });
  const known = await clock.measure("encode", () => imageTokens(model, picture));

  const rows = rowsFor(text, settings);
  const canvas = blank(rows.length, side * side);
  for (const i of canvas.ids_BL.keys()) canvas.ids_BL[i] = open[i % open.length] ? UNDECIDED : known[i % open.length];
  const grid = { height: side, width: side };
  let last: ImageStep | undefined;
  for await (const state of denoise(model, rows, canvas, settings, { clock, signal })) {
    last = imageStep(model, { index: state.pass, total: settings.steps, grid }, cellsOf(state), clock);
    yield last;
  }
  return drawResult(model, last!, rows, settings, { task: "inpaint" }, { clock, warnings: text.warnings });
}

/** Both are cut to their middle square, so they must be shaped alike to fit on each other. */
function checkShape(mask: Grey, picture: Picture): void {
  const difference = Math.abs(mask.width / mask.height - picture.width / picture.height);
  if (difference > 0.02)
    fail("the mask is shaped unlike the picture", {
      where: "mask",
      expected: `${picture.width} x ${picture.height} pixels, or the same shape in another size`,
      got: `${mask.width} x ${mask.height}`,
    });
}
