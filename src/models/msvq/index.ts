/** The multi-scale VQVAE: pictures to tokens of growing scales and back. */
export * from "./config.ts";
export { type Blend, type FeatureMaps, featureMaps } from "./feature-maps.ts";
export {
  attentionBlock,
  decodeMap,
  downsample,
  encodePixels,
  latentOf,
  pixelsOf,
  postQuantConv,
  quantConv,
} from "./graph.ts";
export { type Encoded, type MsvqOptions, type MsvqPrograms, msvqPrograms } from "./programs.ts";
export * from "./quantizer.ts";
export { type ResampleMode, resample, resampleMatrix, resamplePlane } from "./resample.ts";
export { MSVQ_IGNORED, msvqParameters } from "./weights.ts";
