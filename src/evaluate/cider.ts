/**
 * CIDEr and CIDEr-D (Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation", CVPR 2015): how much a
 * sentence shares with its references, rare phrases counting more. Both times 10, as is custom.
 */
import { fail } from "../base/index.ts";

export interface Cider {
  /** Section 4: mean cosine of TF-IDF vectors of n-grams, n = 1 to 4, between each candidate and its references. */
  cider: number;
  /** Section 6, what captioning papers report: counts clipped to the reference's, a Gaussian penalty (sigma 6) on length. */
  ciderD: number;
  /** Of each candidate. */
  each: { cider: number; ciderD: number }[];
}

const MAX_N = 4;
const SIGMA = 6;
const SCALE = 10;

/** TF-IDF weight of each n-gram, its norm, for n = 1 to 4. */
type Vector = { weights: Map<string, number>; norm: number }[];

/** Lower-case words; punctuation is left out, as the usual tokenizer does. */
export const wordsOf = (sentence: string): string[] => sentence.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];

/**
 * Scores each candidate against its references; document frequencies come from all references here, a picture being one
 * document. Errors: lists of different lengths, a candidate without references.
 */
export function cider(candidates: readonly string[], references: readonly (readonly string[])[]): Cider {
  if (candidates.length === 0 || candidates.length !== references.length || references.some((list) => !list.length))
    fail("CIDEr needs references for each candidate", {
      expected: `${candidates.length} lists of at least one`,
      got: `${references.length} lists`,
    });
  const documents = references.map((list) => list.map(wordsOf));
  const frequency = new Map<string, number>();
  for (const sentences of documents)
    for (const gram of new Set(sentences.flatMap((words) => [...counts(words).keys()])))
      frequency.set(gram, (frequency.get(gram) ?? 0) + 1);
  const vector = (words: string[]) => vectorOf(words, frequency, Math.log(documents.length));

  const each = candidates.map((sentence, i) => {
    const words = wordsOf(sentence);
    const candidate = vector(words);
    const mean = (score: (reference: Vector, length: number) => number) =>
      (SCALE * documents[i].reduce((sum, other) => sum + score(vector(other), other.length), 0)) / documents[i].length;
    return {
      cider: mean((reference) => cosine(candidate, reference, (a) => a)),
      ciderD: mean(
        (reference, length) =>
          cosine(candidate, reference, Math.min) * Math.exp(-((words.length - length) ** 2) / (2 * SIGMA ** 2)),
      ),
    };
  });
  const mean = (name: "cider" | "ciderD") => each.reduce((sum, one) => sum + one[name], 0) / each.length;
  return { cider: mean("cider"), ciderD: mean("ciderD"), each };
}

/** How often each n-gram occurs; words are joined by blanks, so their number is n. */
function counts(words: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (let n = 1; n <= MAX_N; n++)
    for (let i = 0; i + n <= words.length; i++) {
      const gram = words.slice(i, i + n).join(" ");
      found.set(gram, (found.get(gram) ?? 0) + 1);
    }
  return found;
}

/** Count times ln(documents / documents with it). The length of a sentence cancels in the cosine. */
function vectorOf(words: readonly string[], frequency: ReadonlyMap<string, number>, logDocuments: number): Vector {
  const vector: Vector = Array.from({ length: MAX_N }, () => ({ weights: new Map(), norm: 0 }));
  for (const [gram, count] of counts(words)) {
    const part = vector[gram.split(" ").length - 1];
    const weight = count * (logDocuments - Math.log(Math.max(1, frequency.get(gram) ?? 0)));
    part.weights.set(gram, weight);
    part.norm += weight ** 2;
  }
  for (const part of vector) part.norm = Math.sqrt(part.norm);
  return vector;
}

/** Mean over n of the cosines; `clip` limits a candidate's weight by the reference's. */
function cosine(candidate: Vector, reference: Vector, clip: (a: number, b: number) => number): number {
  let sum = 0;
  for (const [n, { weights, norm }] of candidate.entries()) {
    let product = 0;
    for (const [gram, weight] of weights) {
      const other = reference[n].weights.get(gram) ?? 0;
      product += clip(weight, other) * other;
    }
    if (norm && reference[n].norm) sum += product / (norm * reference[n].norm);
  }
  return sum / MAX_N;
}
