/** The tokenizer of Phi-1.5 is made of files that only Node has at hand. */
import { fail } from "../base/index.ts";
import type { Tokenizer, TokenizerJson } from "./tokenizer.ts";

export const phiTokenizerJson = async (): Promise<TokenizerJson> =>
  fail("the tokenizer of Phi-1.5 is not in this page", { hint: "Put its tokenizer.json beside the weights." });

export const phiTokenizer = (): Promise<Tokenizer> => phiTokenizerJson() as Promise<never>;
