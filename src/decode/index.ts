/** Canvases from undecided to decided. Knows no model. */
export * from "./adaptive-window.ts";
export * from "./compose.ts";
export {
  blank,
  type Canvas,
  canvasOf,
  type DecodeState,
  type Predictor,
  type Sampler,
  type Span,
  type Trajectory,
  UNDECIDED,
} from "./contract.ts";
export * from "./extend.ts";
export * from "./jacobi.ts";
export * from "./jacobi-draft.ts";
export * from "./jacobi-window.ts";
export * from "./likely.ts";
export * from "./masked.ts";
export * from "./noise.ts";
export * from "./remask.ts";
export {
  argmax,
  ascending,
  type CategoricalOptions,
  categorical,
  peak,
  probabilities,
  probabilityOf,
} from "./samplers.ts";
export * from "./scales.ts";
export * from "./schedules.ts";
export * from "./trajectory.ts";
