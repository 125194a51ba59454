/** Lists of prompts in GenEval's form (Ghosh et al. 2023): a fixed one for each domain, the official one, one's own. */
import { readFile } from "node:fs/promises";
import { fail, Rng } from "../base/index.ts";
import { type ClassName, pluralOf } from "./classes.ts";
import { type Domain, TASKS, type Task } from "./domains.ts";
import type { Group, Side } from "./facts.ts";
import { PREFIX, SIDES, sentence } from "./grammar.ts";
import type { Color } from "./recolor.ts";
import { MAX_COUNT, trainedColors } from "./scene.ts";
import { colorPairs, heldOutPairs } from "./splits.ts";

/** A prompt to draw and the task it belongs to. */
export interface Request {
  readonly task: Task;
  readonly prompt: string;
}

/** Prompts of each task in GenEval: 553. */
export const GENEVAL_COUNTS: Readonly<Record<Task, number>> = {
  single_object: 80,
  two_object: 99,
  counting: 80,
  colors: 94,
  position: 100,
  color_attr: 100,
};

const SEED = 553;
const OFFICIAL = new URL("../../assets/prompts/geneval-402.tsv", import.meta.url);

/**
 * 553 prompts of a domain with GenEval's wording and its number of prompts for each task. Pairs of classes are those
 * that training never shows; the few colours of classes that it never shows are among the others. A task with fewer
 * prompts than asked for repeats them, in order.
 */
export function genevalPrompts(domain: Domain): Request[] {
  return TASKS.flatMap((task, i) => {
    const all = new Rng(SEED, i).shuffle(candidates(domain, task));
    if (all.length === 0) fail(`the domain has no prompts for task ${task}`);
    return Array.from({ length: GENEVAL_COUNTS[task] }, (_, n) => ({ task, prompt: all[n % all.length] }));
  });
}

/** Every prompt that the domain has for a task. */
function candidates(domain: Domain, task: Task): string[] {
  const one = (name: ClassName, color: Color | null = null, count = 1): Group => ({ class: name, color, count });
  const say = (groups: Group[], join: Side | "and" = "and") => `${PREFIX} ${sentence(groups, join, null)}`;
  const pairs = heldOutPairs(domain).flatMap(([a, b]) => [
    [a, b],
    [b, a],
  ]);
  switch (task) {
    case "single_object":
      return domain.classes.map((name) => say([one(name)]));
    case "two_object":
      return pairs.map(([a, b]) => say([one(a), one(b)]));
    case "counting":
      return domain.classes
        .filter((name) => pluralOf(name) !== null)
        .flatMap((name) => Array.from({ length: MAX_COUNT - 1 }, (_, i) => say([one(name, null, i + 2)])));
    case "colors":
      return colorPairs(domain).map(([color, name]) => say([one(name, color)]));
    case "position":
      return pairs.flatMap(([a, b]) => SIDES.map((side) => say([one(a), one(b)], side)));
    case "color_attr":
      return pairs.flatMap(([a, b]) =>
        trainedColors(domain, a).flatMap((first) =>
          trainedColors(domain, b)
            .filter((second) => second !== first)
            .map((second) => say([one(a, first), one(b, second)])),
        ),
      );
  }
}

/** The official prompts whose objects and colours have drawings here: 402 of 553, word for word. */
export async function officialPrompts(): Promise<Request[]> {
  const text = await readFile(OFFICIAL, "utf8").catch((cause) =>
    fail("cannot read the list of prompts", { where: OFFICIAL.pathname, code: "NOT_FOUND", cause }),
  );
  return parsePrompts(text, OFFICIAL.pathname);
}

/** Lines of task, tab, prompt; empty lines and those that start with # are skipped. Errors: BAD_FILE naming the line. */
export function parsePrompts(text: string, where: string): Request[] {
  const requests = text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .flatMap((line, i): Request[] => {
      if (line.trim() === "" || line.startsWith("#")) return [];
      const [name, prompt, ...rest] = line.split("\t").map((cell) => cell.trim());
      const task = TASKS.find((known) => known === name);
      if (!task || !prompt || rest.length)
        return fail("this is not a line of prompts", {
          where: `${where}:${i + 1}`,
          code: "BAD_FILE",
          expected: `one of ${TASKS.join(", ")}, a tab, a prompt`,
          got: line.slice(0, 80),
        });
      return [{ task, prompt }];
    });
  return requests.length ? requests : fail("there are no prompts", { where, code: "BAD_FILE" });
}
