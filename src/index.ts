/**
 * fewstep: pictures from sentences and sentences from pictures in a few steps.
 *
 * ```ts
 * const model = await loadModel();
 * const { images: [picture] } = await model.generateImage("two red cars", { seed: 7 });
 * await picture.save("cars.png");
 * const { text } = await model.describe(picture);
 * await model.dispose();
 * ```
 */
export { type ErrorCode, FewstepError } from "./base/index.ts";
export { encodePicture, type Picture, readPicture } from "./image/index.ts";
export { DEFAULT_MODEL, embeddedModels, type LoadOptions, type ModelSource } from "./models/index.ts";
export {
  type DescribeOptions,
  type DrawOptions,
  type DrawResult,
  type DrawRun,
  type ExtendOptions,
  type GeneratedImage,
  type ImageLike,
  type ImageSettings,
  type ImageStep,
  type InpaintOptions,
  type LabelModel,
  type LabelOptions,
  type LabelResult,
  type LabelRun,
  loadLabelModel,
  loadModel,
  type MaskLike,
  type Model,
  type Run,
  type ScaleStep,
  type TextResult,
  type TextRun,
  type TextStep,
  type Timings,
} from "./tasks/index.ts";
