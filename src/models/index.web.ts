/** Networks and whole models, as far as a page has them. */
export { betweenPoints, type Costs } from "./costs.ts";
export * from "./load.web.ts";
export { type ModelConfig, modelConfigOf } from "./model-config.ts";
export { nearest } from "./nearest.ts";
export { DEFAULT_MODEL, embeddedModels } from "./registry.web.ts";
export { magvitParameters, type Shapes, type StateDict, showoParameters } from "./weights.ts";
