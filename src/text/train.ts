/** Trains a small byte-level BPE vocabulary in which frequent words are one token each. */
import { fail } from "../base/index.ts";
import { END_OF_TEXT, type TokenizerJson } from "./tokenizer.ts";

/** The printable character that stands for each byte in a byte-level vocabulary. */
function byteSymbols(): string[] {
  let next = 256;
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
}

/** How a ByteLevel pre_tokenizer cuts text: words and signs take the space before them along. */
const WORDS = /'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

interface Word {
  pieces: string[];
  readonly count: number;
}

/** A token to add: two neighbours joined, or (with an empty left) a whole word at once. */
interface Candidate {
  readonly left: string;
  readonly right: string;
  /** Tokens it would save in the texts. */
  saves: number;
}

/** The candidate that saves most; ties go to the smaller spelling, so the result does not depend on order. */
function bestCandidate(words: Iterable<Word>): Candidate | undefined {
  const found = new Map<string, Candidate>();
  const add = (left: string, right: string, saves: number) => {
    // Byte symbols hold no space, so the key tells pairs apart.
    const key = `${left} ${right}`;
    const known = found.get(key);
    if (known) known.saves += saves;
    else found.set(key, { left, right, saves });
  };
  for (const { pieces, count } of words) {
    if (count < 2 || pieces.length < 2) continue;
    for (let i = 1; i < pieces.length; i++) add(pieces[i - 1], pieces[i], count);
    add("", pieces.join(""), count * (pieces.length - 1));
  }
  const before = (a: Candidate, b: Candidate) =>
    a.saves !== b.saves ? a.saves > b.saves : `${a.left} ${a.right}` < `${b.left} ${b.right}`;
  let best: Candidate | undefined;
  for (const candidate of found.values()) if (!best || before(candidate, best)) best = candidate;
  return best;
}

function join({ pieces }: Word, { left, right }: Candidate): string[] {
  if (left === "") return pieces.join("") === right ? [right] : pieces;
  const joined: string[] = [];
  for (const piece of pieces) {
    if (piece === right && joined.at(-1) === left) joined[joined.length - 1] = left + right;
    else joined.push(piece);
  }
  return joined;
}

/**
 * A tokenizer.json of at most `size` ids: 256 bytes, then the tokens that shorten `texts` most, then `<|endoftext|>`.
 * Beside joining two neighbours, as BPE does, a step may make a whole word one token without spending ids on its parts.
 * Words seen once teach nothing. Deterministic, whatever the order of the texts.
 */
export function trainBpe(texts: Iterable<string>, size: number): TokenizerJson {
  if (!(Number.isInteger(size) && size >= 257))
    fail("vocabulary too small", {
      where: "size",
      expected: "at least 257 (256 bytes and the end of text)",
      got: `${size}`,
    });
  const symbols = byteSymbols();
  const utf8 = new TextEncoder();
  const counts = new Map<string, number>();
  for (const text of texts) for (const [word] of text.matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words: Word[] = Array.from(counts, ([word, count]) => ({
    pieces: Array.from(utf8.encode(word), (byte) => symbols[byte]),
    count,
  }));

  const vocab: Record<string, number> = Object.create(null);
  const merges: [string, string][] = [];
  let used = 0;
  for (const symbol of symbols) vocab[symbol] = used++;
  for (let best = bestCandidate(words); best && used < size - 1; best = bestCandidate(words)) {
    if (best.left !== "") merges.push([best.left, best.right]);
    vocab[best.left + best.right] ??= used++;
    for (const word of words) word.pieces = join(word, best);
  }
  vocab[END_OF_TEXT] = used;
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    // Whole words are looked up before merging.
    model: { type: "BPE", vocab: { ...vocab }, merges, ignore_merges: true },
  };
}
