import { expect, test } from "vitest";
import { pluralOf } from "./classes.ts";
import { DOMAINS, type Domain } from "./domains.ts";
import { sideOf } from "./facts.ts";
import { nounOf, withArticle } from "./grammar.ts";
import { QUESTION_KINDS, type Question } from "./questions.ts";
import { type Sketch, sketchScene } from "./scene.ts";

const domains: [string, Domain][] = Object.entries(DOMAINS);
const stream = (domain: Domain): Sketch[] =>
  Array.from({ length: 1500 }, (_, index) => sketchScene(domain, { seed: 12, index, split: "train" }));

/** The answer by looking at the listed objects, on a way of its own. */
function look({ objects }: Sketch, { question, kind }: Question): string {
  const called = (texts: (name: Sketch["objects"][number]) => string[]) =>
    objects.filter((object) => texts(object).some((text) => question.includes(text)));
  switch (kind) {
    case "presence":
      return called(({ class: c }) => [`there ${withArticle(c)} in`]).length ? "yes" : "no";
    case "color_presence":
      return called(({ class: c, color }) => [`there ${withArticle(nounOf(c, color))}?`]).length ? "yes" : "no";
    case "count":
      return ["none", "one", "two", "three", "four"][called(({ class: c }) => [`many ${pluralOf(c)} are`]).length];
    case "color":
      return called(({ class: c }) => [`the ${c}?`, `the ${pluralOf(c)}?`])[0].color!;
    case "relation": {
      const known = called(({ class: c }) => [`the ${c}?`])[0];
      const other = objects.find((object) => object !== known)!;
      return question.startsWith(`what is ${sideOf(other, known)} `) ? other.class : "nothing";
    }
  }
}

test.each(domains)("%s: every answer is true, and yes is as common as no", (_, domain) => {
  const tally = Object.fromEntries(QUESTION_KINDS.map((kind) => [kind, new Map<string, number>()]));
  for (const scene of stream(domain)) {
    for (const question of scene.questions) {
      if (question.answer !== look(scene, question)) expect.fail(`${question.question} / ${scene.caption}`);
      const answers = tally[question.kind];
      answers.set(question.answer, (answers.get(question.answer) ?? 0) + 1);
    }
  }
  const share = (kind: string, answer: string) => {
    const total = [...tally[kind].values()].reduce((a, b) => a + b);
    return tally[kind].get(answer)! / total;
  };
  expect(share("presence", "yes")).toBe(0.5);
  expect(Math.abs(share("color_presence", "yes") - 0.5)).toBeLessThan(0.06);
  for (const number of ["one", "two", "three", "four"])
    expect(Math.abs(share("count", number) - 0.25)).toBeLessThan(0.16);
  expect([...tally.color.keys()].sort()).toEqual([...domain.colors].sort());
  expect(tally.relation.size).toBe(domain.classes.length);
});
