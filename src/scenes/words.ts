/** The closed vocabulary of a domain: every word of its prompts, captions, questions and answers. */
import { wordsOf } from "./backgrounds.ts";
import { pluralOf } from "./classes.ts";
import type { Domain } from "./domains.ts";
import { NUMBERS, PREFIX, SIDES } from "./grammar.ts";

const FIXED = [
  ...[PREFIX, "a an and", ...SIDES, ...NUMBERS.slice(1)],
  ...["is there in the image", "what color is are", "how many are there", "yes no"],
];

/** All words in alphabetical order; "?" is one of them, everything else is letters. */
export function words(domain: Domain): string[] {
  const texts = [
    ...FIXED,
    ...domain.colors,
    ...domain.classes.flatMap((name) => [name, pluralOf(name) ?? name]),
    ...domain.backgrounds.map((name) => wordsOf(name) ?? ""),
  ];
  return [...new Set(["?", ...texts.flatMap((text) => text.split(" "))])].filter(Boolean).sort();
}
