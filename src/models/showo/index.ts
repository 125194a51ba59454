/** Show-o: one transformer that draws pictures and describes them. */
export * from "./config.ts";
export { DTYPES, type PackedDType, partFile, type StorageChoice } from "./dtypes.ts";
export {
  type BodyInputs,
  CELL_EMBEDDINGS,
  cellRows,
  positionsFrom,
  rotary,
  showoBody,
  showoHead,
  showoLayer,
} from "./graph.ts";
export { encodePrefix, type ImageRequest, imagePredictor, type Prefix } from "./image-predictor.ts";
export { JOINED, type Kernels, type KeyValue, packedKernels, plainKernels, storedKernels } from "./kernels.ts";
export * from "./masks.ts";
export { type CacheUser, cacheBytes, causalRows, type PackedOptions, type PackedShowo, packedShowo } from "./packed.ts";
export * from "./packed-graphs.ts";
export { packedPrograms, type ShowoPrograms, showoPrograms, type Weights } from "./programs.ts";
export * from "./sequence.ts";
export { type TextPredictor, type TextRequest, textPredictor } from "./text-predictor.ts";
