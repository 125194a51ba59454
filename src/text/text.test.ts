/** Known ids, and what must hold for any text. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cleanPrompt,
  cleanQuestion,
  detokenizer,
  loadTokenizer,
  phiTokenizer,
  type Tokenizer,
  type TokenizerJson,
  tokenizerFromJson,
  trainBpe,
} from "./index.ts";

const CONTROL = "[PAD] <|soi|> <|eoi|> <|sov|> <|eov|> <|t2i|> <|mmu|> <|t2v|> <|v2v|> <|lvg|> <|endoftext|>".split(
  " ",
);
const CAPTIONS = [
  ...["a photo of a red apple", "a photo of two dogs", "a photo of a cat left of a red car", "two cats on grass"],
  ...["a photo of a blue dog above a cat", "is there a dog in the picture?", "how many cats are there?", "yes", "two"],
  ...["what colour is the car?", "a photo of a blue car on grass", "yes", "no", "is there a red apple on the left?"],
];
const phi = await phiTokenizer();
const mini = tokenizerFromJson(JSON.parse(JSON.stringify(trainBpe([...CAPTIONS, ...CAPTIONS], 320))));
const tokenizers: [string, Tokenizer][] = [
  ["phi", phi],
  ["mini", mini],
];

/** Any characters but half surrogate pairs, spiced with what has a meaning to somebody. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        ...CONTROL,
        " ",
        "  ",
        "\t\t",
        "\n",
        "\ufeff",
        "\u0085",
        "\u00a0",
        "\0",
        "__proto__",
        " photo",
        "👩‍🚀",
      ),
    ),
  )
  .map((parts) => parts.join(""));

describe.each(tokenizers)("%s", (_, tokenizer) => {
  test("any text survives the round trip, in ids below endOfText and size", () =>
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        for (const id of ids) {
          expect(Number.isInteger(id) && id >= 0 && id < tokenizer.size).toBe(true);
          expect(id).not.toBe(tokenizer.endOfText);
        }
      }),
      { numRuns: 150 },
    ));

  test("a stream prints the same text, and never half a character", () =>
    fc.assert(
      fc.property(anyText, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }), (text, handfuls) => {
        fc.pre(!text.includes("\ufffd"));
        const ids = tokenizer.encode(text);
        const stream = detokenizer(tokenizer);
        let printed = "";
        for (let at = 0, i = 0; at < ids.length; at += handfuls[i++ % handfuls.length])
          printed += stream.push(ids.slice(at, at + handfuls[i % handfuls.length]));
        expect(printed).not.toContain("\ufffd");
        expect(printed + stream.end()).toBe(text);
      }),
      { numRuns: 200 },
    ));

  test("decoding refuses foreign ids", () => {
    for (const id of [-1, tokenizer.size, 0.5, Number.NaN])
      expect(() => tokenizer.decode([id])).toThrow(/no such token/);
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode(new Set([tokenizer.endOfText]))).toBe("<|endoftext|>");
  });

  test("control tokens in a prompt are plain characters", () => {
    for (const word of CONTROL) expect(tokenizer.encode(word).length).toBeGreaterThan(2);
  });

  test("long texts are quick", () => {
    expect(tokenizer.encode("x".repeat(20_000)).length).toBeGreaterThan(1000);
    expect(tokenizer.encode("a photo ".repeat(10_000)).length).toBeGreaterThan(19_999);
  });
});

test("Phi-1.5 ids", () => {
  expect([phi.size, phi.endOfText]).toEqual([50295, 50256]);
  expect(phi.encode("Hello world")).toEqual([15496, 995]);
  expect(phi.encode("Hello, world!")).toEqual([15496, 11, 995, 0]);
  expect(phi.encode("")).toEqual([]);
  expect(phi.encode("  ")).toEqual([50286]);
  expect(phi.encode(" ".repeat(31))).toEqual([50257]);
  expect(phi.encode(" ".repeat(33))).toEqual([50257, 50286]);
  expect(phi.encode("\t\t")).toEqual([50294]);
  expect(phi.encode("\t".repeat(9))).toEqual([50287]);
  expect(phi.encode("a  b")).toEqual([64, 50286, 65]);
  expect(phi.encode(" a\tb")).toEqual([257, 197, 65]);
  expect(phi.encode("<|endoftext|>")).toEqual([27, 91, 437, 1659, 5239, 91, 29]);
  expect(phi.encode("USER: \nwhat is it? ASSISTANT:")).toEqual([
    29904, 25, 220, 198, 10919, 318, 340, 30, 24994, 8808, 8643, 25,
  ]);
});

describe("the trained tokenizer", () => {
  test("gives common words with their space one id each, and ends with the end of text", () => {
    expect([mini.size, mini.endOfText]).toEqual([287, 286]);
    expect(tokenizerFromJson(trainBpe([...CAPTIONS, ...CAPTIONS], 270)).endOfText).toBe(269);
    for (const word of " photo of red dog cat car blue grass picture there on left".split(/(?= )/))
      expect(mini.encode(word).length).toBe(1);
    expect(mini.encode("a photo of two dogs").length).toBe(5);
    expect(mini.encode(" zebra").length).toBeGreaterThan(2);
    expect(mini.encode("a")).toEqual([97]);
  });

  test("is the same whatever the order of the texts", () => {
    const shuffled = [...CAPTIONS].sort().reverse();
    expect(trainBpe([...shuffled, ...CAPTIONS], 300)).toEqual(trainBpe([...CAPTIONS, ...CAPTIONS], 300));
  });

  test("joins the most frequent pair, then what saves most", () => {
    const texts = new Array(2).fill(" cab dab eab fab gab");
    const { model } = trainBpe(texts, 400);
    expect(model.merges).toEqual([["a", "b"]]);
    const words = ["Ġcab", "Ġdab", "Ġeab", "Ġfab", "Ġgab"];
    expect(Object.keys(model.vocab).slice(256)).toEqual(["ab", ...words, "<|endoftext|>"]);
    const small = tokenizerFromJson(trainBpe(texts, 259));
    expect(small.encode(" cab dab")).toEqual([257, 32, 100, 256]);
  });

  test("learns nothing from words seen once, and needs room for the bytes", () => {
    const { model } = trainBpe(["each word comes alone"], 400);
    expect(Object.keys(model.vocab).length).toBe(257);
    expect(tokenizerFromJson(trainBpe([], 257)).size).toBe(257);
    expect(() => trainBpe([], 256)).toThrow(/at least 257/);
  });
});

describe("tokenizer.json", () => {
  test("is loaded from a folder, or says what is wrong with it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fewstep-text-"));
    try {
      await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await writeFile(join(folder, "tokenizer.json"), "{");
      await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: "BAD_FILE" });
      await writeFile(join(folder, "tokenizer.json"), JSON.stringify(trainBpe([...CAPTIONS, ...CAPTIONS], 320)));
      expect((await loadTokenizer(folder)).encode("a photo of grass")).toEqual(mini.encode("a photo of grass"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("control tokens of a file are left out", () => {
    const json = trainBpe([...CAPTIONS, ...CAPTIONS], 320);
    const specials = CONTROL.slice(0, 10).map((content, i) => ({ id: 288 + i, content, special: i === 0 }));
    const end = { id: 286, content: "<|endoftext|>", special: true };
    const spaces = { id: 287, content: "  ", special: false };
    const extended = tokenizerFromJson({ ...json, added_tokens: [end, spaces, ...specials] });
    expect(extended.size).toBe(288);
    const plain = (text: string) => mini.encode(text);
    expect(extended.encode("<|soi|>  <|endoftext|>")).toEqual([...plain("<|soi|>"), 287, ...plain("<|endoftext|>")]);
  });

  test("other contents are refused by name", () => {
    const good = trainBpe([], 257);
    const bad: [unknown, RegExp][] = [
      [null, /a JSON object/],
      [[], /a JSON object/],
      [{ ...good, model: undefined }, /model.type BPE/],
      [{ ...good, model: { ...good.model, type: "Unigram" } }, /model.type BPE\n.*Unigram/],
      [{ ...good, model: { ...good.model, vocab: {} } }, /ids from 0/],
      [{ ...good, model: { ...good.model, vocab: { a: -1 } } }, /ids from 0.*\n.*-1/],
      [{ ...good, model: { ...good.model, vocab: { a: 1e9 } } }, /ids from 0.*\n.*1000000000/],
      [{ ...good, model: { ...good.model, vocab: { a: 0, b: 0, "<|endoftext|>": 1 } } }, /two tokens share an id/],
      [{ ...good, model: { ...good.model, vocab: { a: 0 } } }, /has no <\|endoftext\|>/],
      [{ ...good, model: { ...good.model, merges: [["a"]] } }, /list of pairs/],
      [{ ...good, added_tokens: [{ id: 3 }] }, /added_tokens/],
      [{ ...good, added_tokens: [{ id: "3", content: "x" }] }, /ids from 0/],
      [{ ...good, decoder: null }, /ByteLevel/],
      [{ ...good, normalizer: { type: "Magic" } }, /here: not a tokenizer(.|\n)*Magic/],
    ];
    for (const [json, message] of bad) expect(() => tokenizerFromJson(json, "here")).toThrow(message);
    const whole: TokenizerJson = { ...good, pre_tokenizer: { type: "ByteLevel", use_regex: false } };
    expect(() => tokenizerFromJson(whole)).toThrow(/would end the text/);
  });
});

test("a stream keeps a character until its last byte has come", () => {
  const stream = detokenizer(mini);
  const ids = mini.encode("é👍!");
  expect(ids.length).toBe(7);
  expect(ids.map((id) => stream.push([id]))).toEqual(["", "é", "", "", "", "👍", "!"]);
  expect(stream.push(ids.slice(2, 4)) + stream.end()).toBe("\ufffd");
  expect(stream.push(ids.slice(0, 2)) + stream.end()).toBe("é");
});

test("prompts are checked and questions cleaned", () => {
  expect(cleanPrompt("")).toBe("");
  expect(cleanPrompt("  a cat 👍\n")).toBe("  a cat 👍\n");
  for (const bad of [undefined, null, 3, ["a cat"], {}]) expect(() => cleanPrompt(bad)).toThrow(/prompt: not a text/);
  expect(() => cleanPrompt("ab\ud83d")).toThrow(/surrogate pair at character 2/);
  expect(() => cleanPrompt("x".repeat(100_001), "caption")).toThrow(/caption: text too long/);
  expect(cleanQuestion("what is\n<image>this?")).toBe("what is this?");
  expect(() => cleanQuestion("x".repeat(1025))).toThrow(/at most 1024/);
});
