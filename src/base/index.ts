/** What everybody needs and nobody owns. */
export * from "./errors.ts";
export { parseObject } from "./json.ts";
export * from "./ndarray.ts";
export * from "./rng.ts";
export { breather } from "./turns.ts";
