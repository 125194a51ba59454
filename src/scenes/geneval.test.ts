import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { DOMAINS, type Domain, TASKS } from "./domains.ts";
import { GENEVAL_COUNTS, genevalPrompts, officialPrompts, parsePrompts } from "./geneval.ts";
import { parseFacts } from "./grammar.ts";
import { isColorHeldOut, isPairHeldOut } from "./splits.ts";
import { cannotStage } from "./stage.ts";

const domains: [string, Domain][] = Object.entries(DOMAINS);
const digest = (requests: readonly { task: string; prompt: string }[]) =>
  createHash("sha256")
    .update(requests.map(({ task, prompt }) => `${task}\t${prompt}\n`).join(""))
    .digest("hex")
    .slice(0, 16);

test("the lists are fixed: results of different days can be compared", async () => {
  expect(Object.fromEntries(domains.map(([name, domain]) => [name, digest(genevalPrompts(domain))]))).toEqual({
    // The same classes and colours, so the same prompts: what a model draws of both can be compared.
    quarters: "9d239e527ee600f2",
    easy: "9d239e527ee600f2",
    medium: "02b7b4eac8402a8a",
    full: "36805933aee2c464",
  });
  expect(digest(await officialPrompts())).toBe("be4973ec3938ea14");
});

test.each(domains)("%s: 553 prompts in GenEval's shares, each of its grammar and possible as a scene", (_, domain) => {
  const requests = genevalPrompts(domain);
  expect(requests).toHaveLength(553);
  for (const task of TASKS) expect(requests.filter((r) => r.task === task)).toHaveLength(GENEVAL_COUNTS[task]);
  for (const { task, prompt } of requests) {
    const facts = parseFacts(prompt, domain);
    if (!facts) return expect.fail(prompt);
    expect(cannotStage(facts), prompt).toBeUndefined();
    const [a, b] = facts.groups;
    expect([facts.groups.length, facts.relation !== null, a.count > 1, a.color !== null], prompt).toEqual([
      ["two_object", "position", "color_attr"].includes(task) ? 2 : 1,
      task === "position",
      task === "counting",
      task === "colors" || task === "color_attr",
    ]);
    if (b) expect(isPairHeldOut(a.class, b.class), prompt).toBe(true);
    if (task === "color_attr")
      expect(isColorHeldOut(a.color!, a.class) || isColorHeldOut(b.color!, b.class)).toBe(false);
  }
});

test("the wording is GenEval's", () => {
  const prompts = genevalPrompts(DOMAINS.easy).map(({ prompt }) => prompt);
  expect(prompts).toContain("a photo of an airplane");
  expect(prompts).toContain("a photo of three buses");
  expect(prompts.filter((prompt) => / (left of|right of|above|below) an? /.test(prompt))).toHaveLength(100);
  expect(prompts.filter((prompt) => /^a photo of (two|three|four) [a-z ]+s$/.test(prompt))).toHaveLength(80);
});

test("what a small domain has too few of is repeated", () => {
  const distinct = (domain: Domain) => {
    const requests = genevalPrompts(domain);
    return TASKS.map((task) => new Set(requests.filter((r) => r.task === task).map(({ prompt }) => prompt)).size);
  };
  expect(distinct(DOMAINS.easy)).toEqual([24, 92, 72, 94, 100, 100]);
  expect(distinct(DOMAINS.full)).toEqual([64, 99, 80, 94, 100, 100]);
});

test("402 official prompts, all of the grammar; some ask for colours that no drawing takes", async () => {
  const requests = await officialPrompts();
  const count = (task: string) => requests.filter((r) => r.task === task).length;
  expect(TASKS.map(count)).toEqual([64, 59, 63, 77, 68, 71]);
  const facts = requests.map(({ prompt }) => parseFacts(prompt, DOMAINS.full));
  expect(facts.includes(undefined)).toBe(false);
  expect(facts.filter((one) => cannotStage(one!) !== undefined)).toHaveLength(39);
});

test("lists of one's own: blank lines and remarks are skipped, anything else is refused by its line", () => {
  expect(parsePrompts("# mine\r\ncolors\ta red car\r\n\n", "x.tsv")).toEqual([{ task: "colors", prompt: "a red car" }]);
  expect(() => parsePrompts("colors\ta red car\ncolours\ta red car", "x.tsv")).toThrow(/x\.tsv:2.*\n.*single_object/);
  expect(() => parsePrompts("colors a red car", "x.tsv")).toThrow(/x\.tsv:1/);
  expect(() => parsePrompts("colors\ta red car\tnow", "x.tsv")).toThrow(/x\.tsv:1/);
  expect(() => parsePrompts("\n# nothing\n", "x.tsv")).toThrow(/there are no prompts/);
});
