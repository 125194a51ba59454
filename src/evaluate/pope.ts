/**
 * POPE (Li et al., "Evaluating Object Hallucination in Large Vision-Language Models", EMNLP 2023) on scenes: is there a
 * dog in the image? As many classes that are absent as are present, the absent ones chosen in three ways.
 */
import { fail, Rng, throwIfAborted } from "../base/index.ts";
import { type ClassName, makeScene, scenePixels, sketchScene, withArticle } from "../scenes/index.ts";
import { type Share, shareOf } from "./interval.ts";
import { openRecord } from "./record.ts";
import type { Reader, UnderstandingOptions } from "./understanding.ts";

/** Any absent class; the classes most frequent in all pictures; those seen most often beside what is present. */
export const POPE_MODES = ["random", "popular", "adversarial"] as const;
export type PopeMode = (typeof POPE_MODES)[number];

/** "Yes" is the positive answer. */
export interface PopeScore {
  accuracy: Share;
  precision: number;
  recall: number;
  f1: number;
  /** Share of questions answered yes; half of them should be. */
  yesRatio: number;
}

/** How often classes are in a picture, and two of them in one. */
export interface Statistics {
  frequency(name: ClassName): number;
  together(a: ClassName, b: ClassName): number;
}

/** Pictures that frequencies are counted over. */
const COUNTED_PICTURES = 1000;

export function statisticsOf(pictures: readonly (readonly ClassName[])[]): Statistics {
  const counts = new Map<string, number>();
  const count = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const names of pictures)
    for (const a of names) {
      count(a);
      for (const b of names) if (a !== b) count(`${a}+${b}`);
    }
  return {
    frequency: (name) => counts.get(name) ?? 0,
    together: (a, b) => counts.get(`${a}+${b}`) ?? 0,
  };
}

/** As many absent classes as are present. Of equally frequent ones those earlier in `classes` come first. */
export function absentClasses(
  mode: PopeMode,
  present: readonly ClassName[],
  classes: readonly ClassName[],
  { frequency, together }: Statistics,
  rng: Rng,
): ClassName[] {
  const absent = classes.filter((name) => !present.includes(name));
  const beside = (name: ClassName) => present.reduce((sum, other) => sum + together(other, name), 0);
  const ranked = {
    random: () => rng.shuffle([...absent]),
    popular: () => absent.toSorted((a, b) => frequency(b) - frequency(a)),
    adversarial: () => absent.toSorted((a, b) => beside(b) - beside(a)),
  };
  return ranked[mode]().slice(0, present.length);
}

/** As the published script reads answers: "no" or "not" in the first sentence says no, all else yes. */
export const saysYes = (answer: string): boolean =>
  !answer
    .split(".")[0]
    .toLowerCase()
    .split(/[\s,]+/)
    .some((word) => word === "no" || word === "not");

export function popeScore(answers: readonly { present: boolean; yes: boolean }[]): PopeScore {
  if (answers.length === 0) fail("there is nothing to score", { expected: "at least one answer" });
  const count = (present: boolean, yes: boolean) =>
    answers.filter((a) => a.present === present && a.yes === yes).length;
  const [hits, misses, alarms] = [count(true, true), count(true, false), count(false, true)];
  const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole);
  return {
    accuracy: shareOf(hits + count(false, false), answers.length),
    precision: ratio(hits, hits + alarms),
    recall: ratio(hits, hits + misses),
    f1: ratio(2 * hits, 2 * hits + alarms + misses),
    yesRatio: ratio(hits + alarms, answers.length),
  };
}

/** Asks for every class of each scene, and for as many absent ones in each mode. */
export async function evaluatePope(model: Reader, options: UnderstandingOptions): Promise<Record<PopeMode, PopeScore>> {
  const { atlas, domain, images, seed, split = "heldout", decoding = "jacobi", signal, onProgress } = options;
  const classesAt = (index: number) => [
    ...new Set(sketchScene(domain, { seed, index, split }).objects.map((object) => object.class)),
  ];
  const statistics = statisticsOf(Array.from({ length: COUNTED_PICTURES }, (_, index) => classesAt(index)));
  const pixels = scenePixels(model.config.magvit.resolution);
  const answers: Record<PopeMode, { present: boolean; yes: boolean }[]> = { random: [], popular: [], adversarial: [] };
  const record = openRecord<{ yes: ClassName[] }>(options.record, { seed, split, decoding, ...options.about });
  try {
    for (let index = 0; index < images; index++) {
      throwIfAborted(signal);
      const present = classesAt(index);
      const rng = new Rng(seed, index).fork(2);
      const absent = POPE_MODES.map((mode) => absentClasses(mode, present, domain.classes, statistics, rng));
      let known = record.known(index);
      if (!known) {
        const scene = makeScene(atlas, domain, { seed, index, split, pixels });
        const shown = { width: scene.width, height: scene.height, data: scene.pixels };
        known = { yes: [] };
        for (const name of new Set([...present, ...absent.flat()])) {
          const question = `is there ${withArticle(name)} in the image?`;
          const { text } = await model.describe(shown, question, { decoding, seed, signal });
          if (saysYes(text)) known.yes.push(name);
        }
        record.add(index, known);
      }
      const { yes } = known;
      for (const [m, mode] of POPE_MODES.entries()) {
        for (const name of present) answers[mode].push({ present: true, yes: yes.includes(name) });
        for (const name of absent[m]) answers[mode].push({ present: false, yes: yes.includes(name) });
      }
      onProgress?.(index + 1, images);
    }
  } finally {
    record.close();
  }
  return Object.fromEntries(POPE_MODES.map((mode) => [mode, popeScore(answers[mode])])) as Record<PopeMode, PopeScore>;
}
