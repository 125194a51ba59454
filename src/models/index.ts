/** Networks and whole models. One folder per network; import those by their folder. */
export { betweenPoints, type Costs } from "./costs.ts";
export { home, modelsHome } from "./home.ts";
export * from "./load.ts";
export { type MeasureOptions, measurePlan } from "./measure.ts";
export { availableMemory, checkMemory, estimateMemory, type MemoryEstimate, programBytes } from "./memory.ts";
export { type ModelConfig, modelConfigOf } from "./model-config.ts";
export { openWeights } from "./open-weights.ts";
export { chooseDTypes, type DTypeChoice, openPacked, packedDTypes } from "./packed-model.ts";
export * from "./plan.ts";
export { PUBLISHED, type PublishedModel, publishedModel, wantedFiles } from "./published.ts";
export { DEFAULT_MODEL, embeddedModels, modelFolder, nearest, pulledModels } from "./registry.ts";
export { type ModelParts, saveModel } from "./save.ts";
export { checkFinite, magvitParameters, type Shapes, type StateDict, showoParameters } from "./weights.ts";
export * from "./windows.ts";
