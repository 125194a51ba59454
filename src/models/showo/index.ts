/** Show-o: one transformer that draws pictures and describes them. */
export * from "./config.ts";
export { type BodyInputs, type KeyValue, positionsFrom, showoBody, showoHead } from "./graph.ts";
export { encodePrefix, type ImageRequest, imagePredictor, type Prefix } from "./image-predictor.ts";
export * from "./masks.ts";
export { type ShowoPrograms, showoPrograms, type Weights } from "./programs.ts";
export * from "./sequence.ts";
export { type TextPredictor, type TextRequest, textPredictor } from "./text-predictor.ts";
