/** How far the judge can be trusted: scenes judged by a prompt that is true and by one that is wrong in one fact. */
import { Rng, throwIfAborted } from "../base/index.ts";
import { picture, preprocess } from "../image/index.ts";
import type { Detection, DetectorPrograms, Thresholds } from "../models/detector/index.ts";
import {
  type Atlas,
  colorsOf,
  type Domain,
  degrade,
  type Facts,
  type Group,
  makeScene,
  parseFacts,
  ruin,
  TASKS,
  type Task,
} from "../scenes/index.ts";
import { type Share, Tally } from "./interval.ts";
import { judge } from "./judge.ts";

/** What was found in a scene, a prompt that is true of it and one that is not. */
export interface Case {
  task: Task;
  right: Facts;
  wrong: Facts;
  found: readonly Detection[];
}

export interface CaseOptions {
  atlas: Atlas;
  domain: Domain;
  /** Scenes of each task, half of them combinations held out of training. */
  scenes: number;
  seed: number;
  /** As drawn; blurred, coarse, off in colour, noisy; or that and one object a blob, so that no prompt is true of it. */
  show: "drawn" | "degraded" | "ruined";
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Shows the detector `scenes` scenes of each task. */
export async function detectorCases(detector: Pick<DetectorPrograms, "config" | "look">, options: CaseOptions) {
  const { atlas, domain, scenes, seed, show, signal, onProgress } = options;
  const pixels = detector.config.resolution;
  const cases: Case[] = [];
  for (const [t, task] of TASKS.entries())
    for (let i = 0; i < scenes; i++) {
      throwIfAborted(signal);
      const index = t * scenes + i;
      const rng = new Rng(seed, index).fork(1);
      const split = i % 2 ? "heldout" : "train";
      const scene = makeScene(atlas, domain, { seed, index, split, tasks: { [task]: 1 }, pixels });
      const whole = show === "ruined" ? ruin(scene.pixels, rng.pick(scene.objects), rng) : scene.pixels;
      const shown = show === "drawn" ? whole : degrade(whole, rng);
      const { found } = await detector.look(preprocess(picture(pixels, pixels, shown), pixels));
      const right = parseFacts(scene.prompt, domain)!;
      cases.push({ task, right, wrong: oneFactWrong(task, right, domain, rng), found });
      onProgress?.(index + 1, TASKS.length * scenes);
    }
  return cases;
}

/** Another class, one more or less, another colour, the opposite side. */
export function oneFactWrong(task: Task, facts: Facts, domain: Domain, rng: Rng): Facts {
  const { groups } = facts;
  const at = rng.int(groups.length);
  const changed = (change: Partial<Group>): Facts => ({
    ...facts,
    groups: groups.map((group, i) => (i === at ? { ...group, ...change } : group)),
  });
  const group = groups[at];
  switch (task) {
    case "single_object":
    case "two_object":
      return changed({ class: rng.pick(domain.classes.filter((name) => groups.every((g) => g.class !== name))) });
    case "counting":
      return changed({ count: group.count + (group.count > 1 && rng.int(2) ? -1 : 1) });
    case "position":
      return { ...facts, groups: groups.toReversed() };
    case "colors":
    case "color_attr": {
      const others = colorsOf(domain, group.class).filter((color) => color !== group.color);
      return changed({ color: rng.pick(others.length ? others : domain.colors.filter((c) => c !== group.color)) });
    }
  }
}

export type Acceptance = Record<Task, { trueAccept: Share; falseAccept: Share }>;

/** Shares of true prompts that are judged right, and of wrong ones. */
export function acceptanceOf(cases: readonly Case[], thresholds: Thresholds): Acceptance {
  const [accepted, mistaken] = [new Tally<Task>(), new Tally<Task>()];
  for (const { task, right, wrong, found } of cases) {
    accepted.add(task, judge(task, right, found, thresholds).right);
    mistaken.add(task, judge(task, wrong, found, thresholds).right);
  }
  const of = (task: Task) => ({ trueAccept: accepted.share(task), falseAccept: mistaken.share(task) });
  return Object.fromEntries(TASKS.map((task) => [task, of(task)])) as Acceptance;
}

/** Scores that differ from the best by less than this are as good. */
const AS_GOOD = 0.002;
const STEPS = 19;

/**
 * The strictest thresholds that accept the most true prompts over wrong ones and over those of ruined scenes, the tasks
 * counting alike.
 */
export function calibrate(cases: readonly Case[], ruined: readonly Case[] = []): Thresholds {
  const best = (name: keyof Thresholds, tasks: readonly Task[]) => {
    const [own, lost] = [cases, ruined].map((all) => all.filter(({ task }) => tasks.includes(task)));
    const gains = Array.from({ length: STEPS }, (_, i) => {
      const threshold = (i + 1) / (STEPS + 1);
      const thresholds = { present: threshold, counted: threshold };
      const [accepted, fooled] = [acceptanceOf(own, thresholds), acceptanceOf(lost, thresholds)];
      const gain = tasks.reduce((sum, task) => {
        const { trueAccept, falseAccept } = accepted[task];
        return sum + (trueAccept.share - falseAccept.share - fooled[task].trueAccept.share) / tasks.length;
      }, 0);
      return { threshold, gain };
    });
    const most = Math.max(...gains.map(({ gain }) => gain));
    return [name, gains.filter(({ gain }) => gain > most - AS_GOOD).at(-1)!.threshold] as const;
  };
  const present = TASKS.filter((task) => task !== "counting");
  return Object.fromEntries([best("present", present), best("counted", ["counting"])]) as unknown as Thresholds;
}
