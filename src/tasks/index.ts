/** The product in verbs. Start reading in text-to-image.ts; each verb is one file. */
export type { DrawResult, DrawRun, ImageStep } from "./drawing.ts";
export { type ExtendOptions, extend, type Margins } from "./extend.ts";
export { type DescribeOptions, describe, type TextResult, type TextRun, type TextStep } from "./image-to-text.ts";
export { type InpaintOptions, inpaint, type MaskLike } from "./inpaint.ts";
export {
  generateClasses,
  type LabelModel,
  type LabelOptions,
  type LabelResult,
  type LabelRun,
  loadLabelModel,
  type Pair,
  type RedrawOptions,
  redraw,
  type ScaleStep,
} from "./label-to-image.ts";
export { classOf, type Label } from "./labels.ts";
export { loadModel, type Model, type ShowoModel } from "./model.ts";
export {
  drawTokens,
  type EncodeOptions,
  formatOf,
  type GeneratedImage,
  type ImageLike,
  type ImageSettings,
  imageTokens,
  PICTURE_ENDINGS,
  readImage,
  resized,
} from "./picture.ts";
export type { Run } from "./run.ts";
export type { DrawOptions } from "./settings.ts";
export { generateImage } from "./text-to-image.ts";
export type { Timings } from "./timing.ts";
