/** Tokenizers from where models lie. In a page load.web.ts does the same. */
import { fail, parseObject } from "../base/index.ts";
import { type Tokenizer, tokenizerFromJson } from "./tokenizer.ts";

/** Reads `tokenizer.json` of a model folder. */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [{ readFile }, { join }] = await Promise.all([import("node:fs/promises"), import("node:path")]);
  const path = join(folder, "tokenizer.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) =>
    fail("cannot read the tokenizer", { where: path, code: "NOT_FOUND", cause, got: String(cause) }),
  );
  return tokenizerFromJson(parseObject(text, "the tokenizer", path), path);
}
