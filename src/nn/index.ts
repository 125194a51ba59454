/** Layers written with graph ops. */
export { upsampleNearest2 } from "../graph/index.ts";
export * from "./layers.ts";
export * from "./losses.ts";
export * from "./storage.ts";
export * from "./stored.ts";
