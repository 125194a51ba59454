/** Strings to token ids and back. */
export { phiTokenizer, phiTokenizerJson } from "./phi.ts";
export { cleanPrompt, cleanQuestion } from "./prompt.ts";
export { type Detokenizer, detokenizer } from "./stream.ts";
export { loadTokenizer, type Tokenizer, type TokenizerJson, tokenizerFromJson } from "./tokenizer.ts";
export { trainBpe } from "./train.ts";
