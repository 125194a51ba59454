/** Facts to English and back. One grammar for prompts and captions, worded as the prompts of GenEval are. */
import { type BackgroundName, wordsOf } from "./backgrounds.ts";
import { type ClassName, pluralOf } from "./classes.ts";
import type { Domain } from "./domains.ts";
import { type Facts, facts, type Group, OPPOSITE, related, type Side } from "./facts.ts";
import type { Color } from "./recolor.ts";

export const PREFIX = "a photo of";
export const NUMBERS = ["zero", "one", "two", "three", "four"] as const;
export const SIDES = Object.keys(OPPOSITE) as Side[];

export const withArticle = (phrase: string): string => `${/^[aeiou]/.test(phrase) ? "an" : "a"} ${phrase}`;

/** "dog", "red car", or "cars" for several. */
export const nounOf = (name: ClassName, color: Color | null, count = 1): string => {
  const noun = count === 1 ? name : (pluralOf(name) ?? name);
  return color ? `${color} ${noun}` : noun;
};

/** "a red car", "three dogs". */
export const phraseOf = ({ class: name, color, count }: Group): string =>
  count === 1 ? withArticle(nounOf(name, color)) : `${NUMBERS[count]} ${nounOf(name, color, count)}`;

/** Groups joined by a relation or by "and", then the background where it has words. */
export function sentence(groups: readonly Group[], join: Side | "and", background: BackgroundName | null): string {
  const ending = background && wordsOf(background);
  return groups.map(phraseOf).join(` ${join} `) + (ending ? ` ${ending}` : "");
}

/** The one caption of these facts. */
export const captionOf = ({ groups, relation, background }: Facts): string =>
  sentence(groups, relation ?? "and", background);

/**
 * The facts that a caption or a prompt states, or undefined when it is not of the grammar. Takes the plurals of the
 * published GenEval prompts ("two sandwichs") besides the right ones, and does not insist on "a" or "an".
 */
export function parseFacts(text: string, domain: Domain): Facts | undefined {
  let rest = text.trim().toLowerCase().replace(/\s+/g, " ").replace(/\.$/, "");
  if (rest.startsWith(`${PREFIX} `)) rest = rest.slice(PREFIX.length + 1);
  const background = domain.backgrounds.find((name) => wordsOf(name) && rest.endsWith(` ${wordsOf(name)}`)) ?? null;
  if (background) rest = rest.slice(0, -` ${wordsOf(background)}`.length);
  for (const join of [...SIDES, "and"] as const) {
    const parts = rest.split(` ${join} `);
    if (parts.length !== 2) continue;
    const [a, b] = parts.map((part) => parseGroup(part, domain));
    if (!a || !b) return undefined;
    return join === "and" ? facts([a, b], null, background) : related(a, join, b, background);
  }
  const group = parseGroup(rest, domain);
  return group && facts([group], null, background);
}

function parseGroup(text: string, domain: Domain): Group | undefined {
  const [first, ...nouns] = text.split(" ");
  const count = first === "a" || first === "an" ? 1 : NUMBERS.indexOf(first as (typeof NUMBERS)[number]);
  if (count < 1) return undefined;
  const classOf = (noun: string) =>
    domain.classes.find((name) => (count === 1 ? name === noun : pluralOf(name) === noun || `${name}s` === noun));
  const plain = classOf(nouns.join(" "));
  if (plain) return { class: plain, color: null, count };
  const color = domain.colors.find((name) => name === nouns[0]);
  const painted = classOf(nouns.slice(1).join(" "));
  return color && painted && { class: painted, color, count };
}
