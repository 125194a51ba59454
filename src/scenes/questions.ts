/** Questions about a scene with answers of a word or two, half of the yes/no ones "yes" (as in POPE, Li et al. 2023). */
import type { Rng } from "../base/index.ts";
import { type ClassName, pluralOf } from "./classes.ts";
import { colorsOf, type Domain } from "./domains.ts";
import { type Facts, type Group, OPPOSITE } from "./facts.ts";
import { NUMBERS, nounOf, withArticle } from "./grammar.ts";
import type { Color } from "./recolor.ts";
import { isColorHeldOut } from "./splits.ts";

export const QUESTION_KINDS = ["presence", "color_presence", "count", "color", "relation"] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

export interface Question {
  readonly question: string;
  readonly answer: string;
  readonly kind: QuestionKind;
}

/** How often a single object is asked to be counted; more would make "one" the answer to everything. */
const COUNTS_ONE = 0.1;

const isThere = (noun: string) => `is there ${withArticle(noun)}?`;

export function questionsOf(facts: Facts, domain: Domain, rng: Rng): Question[] {
  const shown = facts.groups.map((group) => group.class);
  const group = rng.pick(facts.groups);
  const absent = rng.pick(domain.classes.filter((name) => !shown.includes(name)));
  const presence = (name: ClassName, answer: string): Question => ({
    question: `is there ${withArticle(name)} in the image?`,
    answer,
    kind: "presence",
  });
  return [
    presence(group.class, "yes"),
    presence(absent, "no"),
    ...colorQuestions(group, domain, rng),
    ...countQuestions(group, rng),
    ...relationQuestions(facts, rng),
  ];
}

function colorQuestions({ class: name, color, count }: Group, domain: Domain, rng: Rng): Question[] {
  if (!color) return [];
  // Not even a question pairs a class with a colour that is held out, so that training has never read the two together.
  const others = colorsOf(domain, name).filter((other: Color) => other !== color && !isColorHeldOut(other, name));
  const right = others.length === 0 || rng.int(2) === 0;
  const verb = count === 1 ? "is" : "are";
  return [
    {
      question: isThere(nounOf(name, right ? color : rng.pick(others))),
      answer: right ? "yes" : "no",
      kind: "color_presence",
    },
    { question: `what color ${verb} the ${nounOf(name, null, count)}?`, answer: color, kind: "color" },
  ];
}

function countQuestions({ class: name, count }: Group, rng: Rng): Question[] {
  const plural = pluralOf(name);
  if (plural === null || (count === 1 && rng.uniform() >= COUNTS_ONE)) return [];
  return [{ question: `how many ${plural} are there?`, answer: NUMBERS[count], kind: "count" }];
}

function relationQuestions({ groups: [a, b], relation }: Facts, rng: Rng): Question[] {
  if (!relation) return [];
  const [side, known, asked] = rng.int(2) === 0 ? [relation, b, a] : [OPPOSITE[relation], a, b];
  return [{ question: `what is ${side} the ${known.class}?`, answer: asked.class, kind: "relation" }];
}
