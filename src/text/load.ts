/** Tokenizers from where models lie. In a page load.web.ts does the same. */
import { fail } from "../base/index.ts";
import { type Tokenizer, tokenizerFromJson } from "./tokenizer.ts";

/** Reads `tokenizer.json` of a model folder. */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const [{ readFile }, { join }] = await Promise.all([import("node:fs/promises"), import("node:path")]);
  const path = join(folder, "tokenizer.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) =>
    fail("cannot read the tokenizer", { where: path, code: "NOT_FOUND", cause, got: String(cause) }),
  );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    fail("the tokenizer is not JSON", { where: path, code: "BAD_FILE", cause, got: String(cause) });
  }
  return tokenizerFromJson(json, path);
}
