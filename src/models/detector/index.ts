/** A small object detector: classes, boxes and colours of what a picture shows. */
export * from "./config.ts";
export * from "./folder.ts";
export { type DetectorOutputs, detectorGraph } from "./graph.ts";
export { type Detection, peaksOf } from "./peaks.ts";
export { type DetectorPrograms, detectorPrograms, type Sight } from "./programs.ts";
