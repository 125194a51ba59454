import fc from "fast-check";
import { expect, test } from "vitest";
import { DOMAINS, type Domain } from "./domains.ts";
import { type Facts, factsOf, implies, type SceneObject, sameFacts } from "./facts.ts";
import { captionOf, parseFacts } from "./grammar.ts";
import { type Sketch, sketchScene } from "./scene.ts";
import { words } from "./words.ts";

const domains: [string, Domain][] = Object.entries(DOMAINS);

const stream = (domain: Domain, count: number): Sketch[] =>
  Array.from({ length: count }, (_, index) =>
    sketchScene(domain, { seed: 8, index: index >> 1, split: index % 2 ? "heldout" : "train" }),
  );

test.each(domains)("%s: captions say exactly the facts, prompts nothing that is not so", (_, domain) => {
  const open = stream(domain, 2000).filter((scene) => {
    const shown = factsOf(scene);
    const said = parseFacts(scene.caption, domain);
    if (!said || !sameFacts(said, shown) || captionOf(shown) !== scene.caption)
      expect(said, scene.caption).toEqual(shown);
    const asked = parseFacts(scene.prompt, domain);
    if (!asked || !implies(shown, asked)) return expect.fail(`${scene.prompt} / ${scene.caption}`);
    return !sameFacts(shown, asked);
  });
  expect(open.length).toBeGreaterThan(250);
});

test.each(domains)("%s: one wrong fact is seen", (_, domain) => {
  const all = stream(domain, 200).map(factsOf);
  for (const [i, shown] of all.entries()) {
    const [group] = shown.groups;
    const other = domain.classes.find((name) => shown.groups.every((g) => g.class !== name))!;
    const wrong: Facts[] = [
      { ...shown, groups: [{ ...group, class: other }, ...shown.groups.slice(1)] },
      { ...shown, groups: [{ ...group, count: group.count + 1 }, ...shown.groups.slice(1)] },
      { ...shown, groups: [{ ...group, color: group.color === "red" ? "blue" : "red" }, ...shown.groups.slice(1)] },
      { ...shown, background: shown.background === "night" ? "grass" : "night" },
      ...(shown.relation ? [{ ...shown, groups: shown.groups.toReversed() }] : []),
    ];
    for (const facts of wrong) expect([sameFacts(shown, facts), implies(shown, facts)], `${i}`).toEqual([false, false]);
  }
});

test.each(domains)("%s: the vocabulary is closed and has no idle word", (_, domain) => {
  const used = new Set(
    stream(domain, 4000).flatMap(({ prompt, caption, questions }) =>
      [prompt, caption, ...questions.flatMap(({ question, answer }) => [question, answer])].flatMap((text) =>
        text.replaceAll("?", " ?").split(" "),
      ),
    ),
  );
  expect([...used].sort()).toEqual(words(domain));
});

test("the wording of GenEval parses, its plurals too", () => {
  const parse = (text: string) => parseFacts(text, DOMAINS.full);
  const one = (name: string, color: string | null = null, count = 1) => ({ class: name, color, count });
  const none = { relation: null, background: null };
  expect(parse("a photo of a bench")).toBeUndefined();
  expect(parse("a photo of an orange")).toEqual({ groups: [one("orange")], ...none });
  expect(parse("An orange orange.")).toEqual({ groups: [one("orange", "orange")], ...none });
  expect(parse("a photo of two sandwichs")).toEqual({ groups: [one("sandwich", null, 2)], ...none });
  expect(parse("four wine glasses")).toEqual(parse("four wine glasss"));
  expect(parse("a photo of three dog")).toBeUndefined();
  expect(parse("a photo of a dogs")).toBeUndefined();
  expect(parse("a photo of a toilet and a computer mouse")).toEqual({
    groups: [one("computer mouse"), one("toilet")],
    ...none,
  });
  expect(parse("a photo of a couch below a red cup in front of a brick wall")).toEqual({
    groups: [one("cup", "red"), one("couch")],
    relation: "above",
    background: "wall",
  });
  expect(parse("a dog right of a cat")).toEqual(parse("a cat left of a dog"));
  expect(parse("a dog left of a cat")).not.toEqual(parse("a cat left of a dog"));
  for (const text of ["", "a", "dog", "a photo of", "a dog and", "a dog and a cat and a cow", "a dog on the moon"])
    expect(parse(text), text).toBeUndefined();
  expect(parseFacts("a photo of a toilet", DOMAINS.easy)).toBeUndefined();
});

test("any text parses or does not, and what parses says itself again", () => {
  const word = fc.constantFrom(...words(DOMAINS.full), "A", "  ", ".");
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 14 }).map((list) => list.join(" ")),
  );
  fc.assert(
    fc.property(text, (input) => {
      const facts = parseFacts(input, DOMAINS.full);
      if (facts) expect(parseFacts(captionOf(facts), DOMAINS.full)).toEqual(facts);
    }),
    { seed: 4, numRuns: 3000 },
  );
});

test("how two objects lie is told from one side only", () => {
  const at = (name: "dog" | "cat", x: number, y: number): SceneObject => ({ class: name, color: null, x, y, size: 20 });
  const caption = (...objects: SceneObject[]) => captionOf(factsOf({ objects, background: "plain" }));
  expect(caption(at("dog", 0, 10), at("cat", 30, 0))).toBe("a dog left of a cat");
  expect(caption(at("cat", 30, 0), at("dog", 0, 10))).toBe("a dog left of a cat");
  expect(caption(at("dog", 0, 40), at("cat", 30, 0))).toBe("a cat above a dog");
  expect(caption(at("dog", 0, 30), at("cat", 30, 0))).toBe("a dog left of a cat");
});
