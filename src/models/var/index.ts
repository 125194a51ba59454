/** VAR: a transformer that draws a class scale by scale. */
export * from "./config.ts";
export * from "./edit.ts";
export {
  embeddedLabelModels,
  LABEL_SETTINGS,
  type LabelLoadOptions,
  type LabelNetworks,
  type LabelParts,
  labelModelFolder,
  loadLabelNetworks,
  locateLabelModel,
  type PublishedFiles,
  readLabelConfig,
  saveLabelModel,
} from "./folder.ts";
export * from "./graph.ts";
export type { LabelConfig } from "./label-config.ts";
export * from "./packed.ts";
export * from "./predictor.ts";
export * from "./programs.ts";
export type { Smooth } from "./smooth.ts";
export { varBuffers, varParameters } from "./weights.ts";
