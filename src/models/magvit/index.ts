/** MAGVIT-v2: pictures to tokens and back. */
export * from "./config.ts";
export { decodeCodes, encodePixels } from "./graph.ts";
export { buildDecoder, buildEncoder, type MagvitPrograms, magvitPrograms } from "./programs.ts";
export * from "./quantizer.ts";
