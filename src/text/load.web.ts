/// <reference lib="dom" />
/** Tokenizers from where models lie: in a page, addresses. */
import { fail } from "../base/index.ts";
import { type Tokenizer, tokenizerFromJson } from "./tokenizer.ts";

/** Fetches a tokenizer.json by its address. */
export async function loadTokenizer(url: string): Promise<Tokenizer> {
  const json = await fetch(url)
    .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
    .catch((cause) => fail("cannot read the tokenizer", { where: url, code: "NOT_FOUND", cause, got: String(cause) }));
  return tokenizerFromJson(json, url);
}
