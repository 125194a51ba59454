/**
 * Byte-level BPE: strings to ids of the language model's own vocabulary and back. It knows no control tokens: what a
 * prompt spells like one is encoded as the characters it is made of.
 */
import { Tokenizer as BpeEngine } from "@huggingface/tokenizers";
import { fail } from "../base/index.ts";

/** What we use of the engine; its own declarations do not resolve under Node's module rules. */
interface Engine {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[]): string;
}

export interface Tokenizer {
  /** Ids are 0 ... size-1. Control tokens and image ids of a model come behind them and are none of our business. */
  readonly size: number;
  /** The id that ends a text. No string encodes to it. */
  readonly endOfText: number;
  encode(text: string): number[];
  /** Errors: an id outside the vocabulary. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string;
}

/** The part of a tokenizer.json file that is read here. */
export interface TokenizerJson {
  version?: string;
  added_tokens?: { id: number; content: string; special?: boolean }[];
  normalizer?: unknown;
  pre_tokenizer: unknown;
  post_processor?: unknown;
  decoder: unknown;
  model: { type: "BPE"; vocab: Record<string, number>; merges: (string | [string, string])[]; ignore_merges?: boolean };
}

export const END_OF_TEXT = "<|endoftext|>";
const MAX_ID = 10_000_000;

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
const isMerge = (x: unknown) =>
  typeof x === "string" ? x.includes(" ") : Array.isArray(x) && x.length === 2 && x.every((s) => typeof s === "string");

/** Refuses what is not a byte-level BPE tokenizer.json. */
function validate(json: unknown, where: string): TokenizerJson {
  const bad = (expected: string, got: unknown): never =>
    fail("not a tokenizer this program can use", { where, expected, got: String(got), code: "BAD_FILE" });
  if (!isRecord(json)) return bad("a JSON object", json);
  const { model, added_tokens = [], pre_tokenizer, decoder } = json;
  if (!isRecord(model) || model.type !== "BPE") return bad("model.type BPE", isRecord(model) ? model.type : model);
  if (!isRecord(model.vocab)) return bad("model.vocab with ids by token", model.vocab);
  if (!Array.isArray(model.merges) || !model.merges.every(isMerge))
    return bad("model.merges, a list of pairs", "others");
  if (!Array.isArray(added_tokens) || !added_tokens.every((t) => isRecord(t) && typeof t.content === "string"))
    return bad("added_tokens, a list of tokens with content and id", "others");
  const ids = [...Object.values(model.vocab), ...added_tokens.map((token) => token.id)];
  const wrong = ids.find((id) => !Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_ID);
  if (wrong !== undefined || ids.length === 0) return bad(`ids from 0 to ${MAX_ID - 1}`, wrong ?? "none");
  const names = [pre_tokenizer, decoder].map((part) => JSON.stringify(part) ?? "");
  if (!names.every((name) => name.includes('"ByteLevel"'))) return bad("a ByteLevel pre_tokenizer and decoder", names);
  return json as unknown as TokenizerJson;
}

/** The engine over checked contents. Nothing is added around a text: sequences are laid out elsewhere. */
function makeEngine(json: object, where: string): Engine {
  try {
    return new BpeEngine({ ...json, post_processor: null }, { clean_up_tokenization_spaces: false });
  } catch (cause) {
    return fail("not a tokenizer this program can use", { where, got: String(cause), code: "BAD_FILE", cause });
  }
}

/** Special tokens, and what looks like one though a published file does not mark it. */
const isControl = ({ content, special }: { content: string; special?: boolean }) =>
  special === true || /^(<\|.*\|>|\[PAD\])$/s.test(content);

/**
 * A tokenizer from the contents of a tokenizer.json. Its control tokens are left out, so they can neither be encoded nor
 * counted in `size`. Errors: not a byte-level BPE, no `<|endoftext|>`.
 */
export function tokenizerFromJson(json: unknown, where = "tokenizer.json"): Tokenizer {
  const { model, added_tokens = [], ...rest } = validate(json, where);
  const kept = added_tokens.filter((token) => !isControl(token));
  const endOfText = model.vocab[END_OF_TEXT] ?? added_tokens.find(({ content }) => content === END_OF_TEXT)?.id;
  if (endOfText === undefined) fail(`the tokenizer has no ${END_OF_TEXT}`, { where, code: "BAD_FILE" });
  const vocab = { ...model.vocab, [END_OF_TEXT]: endOfText };
  const tokens = new Map([...Object.entries(vocab), ...kept.map(({ content, id }) => [content, id] as const)]);
  const known = new Set(tokens.values());
  if (known.size !== tokens.size)
    fail("two tokens share an id", { where, got: `${tokens.size} tokens, ${known.size} ids`, code: "BAD_FILE" });
  const size = [...known].reduce((a, b) => Math.max(a, b)) + 1;

  const engine = makeEngine({ normalizer: null, ...rest, model: { ...model, vocab }, added_tokens: kept }, where);
  const tokenizer: Tokenizer = {
    size,
    endOfText,
    encode: (text) => engine.encode(text, { add_special_tokens: false }).ids,
    decode(ids) {
      const list = [...ids];
      const unknown = list.find((id) => !known.has(id));
      if (unknown !== undefined) fail("no such token", { expected: `ids from 0 to ${size - 1}`, got: String(unknown) });
      return list.length === 0 ? "" : engine.decode(list);
    },
  };
  if (tokenizer.encode(END_OF_TEXT).includes(endOfText))
    fail(`text spelling ${END_OF_TEXT} would end the text`, { where, code: "BAD_FILE" });
  return tokenizer;
}
