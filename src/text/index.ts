/** Strings to token ids and back. */
export { loadTokenizer } from "./load.ts";
export { phiTokenizer, phiTokenizerJson } from "./phi.ts";
export { cleanPrompt, cleanQuestion } from "./prompt.ts";
export { type Detokenizer, detokenizer } from "./stream.ts";
export { type Tokenizer, type TokenizerJson, tokenizerFromJson } from "./tokenizer.ts";
export { trainBpe } from "./train.ts";
