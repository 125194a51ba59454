/** Networks and whole models. One folder per network; import those by their folder. */
export * from "./load.ts";
export { type ModelConfig, modelConfigOf } from "./model-config.ts";
export { DEFAULT_MODEL, embeddedModels, modelFolder } from "./registry.ts";
export { type ModelParts, saveModel } from "./save.ts";
export { magvitParameters, type Shapes, type StateDict, showoParameters } from "./weights.ts";
