/** Layers written with graph ops. */
export * from "./layers.ts";
export * from "./losses.ts";
export * from "./storage.ts";
export * from "./stored.ts";
