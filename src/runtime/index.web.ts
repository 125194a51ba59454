/** Runs graphs on ONNX Runtime in a page, in its thread or in a worker. */
export type { Place, Places } from "./held.ts";
export { createHost } from "./host.ts";
export { openSession } from "./inline.ts";
export { loadOrt, type Ort, useOrt } from "./ort.ts";
export * from "./program.ts";
export { type Programs, programsOn } from "./programs.ts";
