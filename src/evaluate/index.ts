/** Models to scores: what they read, what they draw, what their tokens keep. */
export { type Share, shareOf, Tally } from "./interval.ts";
export { evaluateTokenizer, type TokenizerOptions, type TokenizerQuality } from "./tokenizer.ts";
export { evaluateUnderstanding, type Reader, type Understanding, type UnderstandingOptions } from "./understanding.ts";
