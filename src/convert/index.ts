/** Weights to graphs with external data, and synthetic weights of published sizes. */
export type { CalibrationTexts } from "./calibration.ts";
export type { LayerReport } from "./journal.ts";
export { convertLabelModel, type LabelConvertOptions, packNetwork } from "./label.ts";
export { type ConvertOptions, type ConvertReport, convertModel } from "./model.ts";
export { type SynthOptions, synthesize } from "./synth.ts";
export type { ConvertProgress } from "./transformer.ts";
