/**
 * The generator: an endless, seeded stream of scenes with everything that is true of them. A scene depends only on the
 * domain and its address (seed, split, index), never on which scenes were made before.
 */
import { fail, internal, Rng } from "../base/index.ts";
import { type Atlas, spriteOf } from "./atlas.ts";
import { type BackgroundName, hides, paintBackground, UNITS, wordsOf } from "./backgrounds.ts";
import { type ClassName, pluralOf } from "./classes.ts";
import { colorsOf, type Domain, naturalOf, sharedSizes, TASKS, type Task } from "./domains.ts";
import { factsOf, type Group, type SceneObject, sideOf } from "./facts.ts";
import { captionOf, PREFIX, sentence } from "./grammar.ts";
import { place, type Spot } from "./place.ts";
import { type Question, questionsOf } from "./questions.ts";
import type { Color } from "./recolor.ts";
import { classPairs, colorPairs, isColorHeldOut, isPairHeldOut, type Split } from "./splits.ts";

export interface SceneOptions {
  seed: number;
  /** Which scene of the stream, from 0. */
  index: number;
  split: Split;
  /** Relative frequency of each task instead of the domain's; a task that is not named does not occur. */
  tasks?: Partial<Record<Task, number>>;
  /** Side of the picture, a multiple of 64; 64 by default. */
  pixels?: number;
}

/** All of a scene but its pixels. */
export interface Sketch {
  readonly width: number;
  readonly height: number;
  readonly task: Task;
  readonly objects: readonly SceneObject[];
  readonly background: BackgroundName;
  /** What a person would type to get it; leaves open what nobody would say. */
  readonly prompt: string;
  /** Everything that is true of it, in one wording: scenes with equal facts have equal captions. */
  readonly caption: string;
  readonly questions: readonly Question[];
}

export interface Scene extends Sketch {
  /** RGB bytes, row by row, [height, width, 3]. */
  readonly pixels: Uint8Array;
}

/** An object that is not yet placed. */
type Actor = Pick<SceneObject, "class" | "color">;

/** What a task may choose from. */
interface Choices {
  readonly pairs: readonly (readonly [ClassName, ClassName])[];
  /** Pairs that can be shown in two different colours. */
  readonly coloredPairs: readonly (readonly [ClassName, ClassName])[];
  readonly colored: readonly (readonly [Color, ClassName])[];
  readonly counted: readonly ClassName[];
}

/** Objects that lie side by side differ this much more in x than in y, or the other way round, in units. */
const CLEARLY = 8;
const PREFIX_SHARE = 0.75;
export const MAX_COUNT = 4;
const MAX_TRIES = 1000;
const HELDOUT_STREAM = 0x80000000;

/** Scene `index` of the stream of a domain. */
export function makeScene(atlas: Atlas, domain: Domain, options: SceneOptions): Scene {
  const scene = sketchScene(domain, options);
  return { ...scene, pixels: render(atlas, scene) };
}

/** The same scene without its picture, at half the cost: for whoever wants only words and facts. */
export function sketchScene(domain: Domain, options: SceneOptions): Sketch {
  const { seed, index, split, tasks = domain.tasks, pixels = UNITS } = options;
  if (!Number.isInteger(index) || index < 0 || index >= HELDOUT_STREAM)
    fail("no such scene", { where: "scene index", expected: "an integer from 0 to 2^31 - 1", got: `${index}` });
  if (!Number.isInteger(pixels / UNITS) || pixels <= 0)
    fail("scenes have no such size", {
      where: "scene pixels",
      expected: `a multiple of ${UNITS}`,
      got: `${pixels}`,
    });

  const rng = new Rng(seed, split === "train" ? index : index + HELDOUT_STREAM);
  const task = pickTask(tasks, rng);
  const actors = cast(task, domain, split, rng);
  const scale = pixels / UNITS;
  const objects = arrange(actors.length, task === "counting", domain, rng).map(({ x, y, size }, i) => ({
    ...actors[i],
    x: x * scale,
    y: y * scale,
    size: size * scale,
  }));
  const visible = domain.backgrounds.filter((name) => !actors.some(({ color }) => hides(name, color)));
  const background = rng.pick(visible.length ? visible : domain.backgrounds);
  const facts = factsOf({ objects, background });
  return {
    width: pixels,
    height: pixels,
    task,
    objects,
    background,
    prompt: promptOf(task, objects, background, domain, rng),
    caption: captionOf(facts),
    questions: questionsOf(facts, domain, rng),
  };
}

function pickTask(weights: Partial<Record<Task, number>>, rng: Rng): Task {
  const total = TASKS.reduce((sum, task) => sum + (weights[task] ?? 0), 0);
  let rest = rng.uniform() * total;
  const task = TASKS.find((name) => (rest -= weights[name] ?? 0) < 0);
  return task ?? fail("no task has a weight above 0", { where: "scene tasks", got: JSON.stringify(weights) });
}

const known = new WeakMap<Domain, Partial<Record<Split, Choices>>>();

function choicesOf(domain: Domain, split: Split): Choices {
  let bySplit = known.get(domain);
  if (!bySplit) known.set(domain, (bySplit = {}));
  return (bySplit[split] ??= choose(domain, split));
}

function choose(domain: Domain, split: Split): Choices {
  const heldOut = split === "heldout";
  const pairs = classPairs(domain).filter(([a, b]) => isPairHeldOut(a, b) === heldOut);
  return {
    pairs,
    coloredPairs: pairs.filter(([a, b]) => {
      const [one, two] = [trainedColors(domain, a), trainedColors(domain, b)];
      return one.length > 0 && two.length > 0 && new Set([...one, ...two]).size > 1;
    }),
    colored: colorPairs(domain).filter(([color, name]) => isColorHeldOut(color, name) === heldOut),
    counted: domain.classes.filter((name) => pluralOf(name) !== null),
  };
}

export const trainedColors = (domain: Domain, name: ClassName) =>
  colorsOf(domain, name).filter((color) => !isColorHeldOut(color, name));

/** Who is in the picture. Held-out scenes of two colours have a held-out pair of classes in colours training knows. */
function cast(task: Task, domain: Domain, split: Split, rng: Rng): Actor[] {
  const choices = choicesOf(domain, split);
  const pick = <T>(items: readonly T[]): T =>
    items.length
      ? rng.pick(items)
      : fail(`the domain has nothing to show for task ${task}`, { where: `split ${split}` });
  const plain = (name: ClassName): Actor => ({ class: name, color: naturalOf(domain, name) });
  const either = <T>([a, b]: readonly [T, T]): [T, T] => (rng.int(2) === 0 ? [a, b] : [b, a]);

  switch (task) {
    case "single_object":
      return [plain(pick(domain.classes))];
    case "counting": {
      const actor = plain(pick(choices.counted));
      return Array.from({ length: 2 + rng.int(MAX_COUNT - 1) }, () => actor);
    }
    case "colors": {
      const [color, name] = pick(choices.colored);
      return [{ class: name, color }];
    }
    case "two_object":
    case "position":
      return either(pick(choices.pairs)).map(plain);
    case "color_attr": {
      const [a, b] = either(pick(choices.coloredPairs));
      const options = trainedColors(domain, a).flatMap((one) =>
        trainedColors(domain, b)
          .filter((two) => two !== one)
          .map((two) => [one, two]),
      );
      const [one, two] = pick(options);
      return [
        { class: a, color: one },
        { class: b, color: two },
      ];
    }
  }
}

/** Places in units, `alike` ones of one size. Two objects never lie so diagonally that one could argue how they lie. */
export function arrange(count: number, alike: boolean, domain: Domain, rng: Rng): Spot[] {
  const sizes = count === 1 ? domain.sizes : sharedSizes(domain);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const size = rng.pick(sizes);
    const spots = place(
      rng,
      Array.from({ length: count }, () => (alike ? size : rng.pick(sizes))),
      domain.lattice,
    );
    if (count !== 2) return spots;
    const [a, b] = spots.map(({ x, y, size }) => ({ x: x + size / 2, y: y + size / 2 }));
    if (Math.abs(Math.abs(a.x - b.x) - Math.abs(a.y - b.y)) >= CLEARLY) return spots;
  }
  return internal("no clear places for two objects");
}

/** Background, then sprites with straight alpha. */
export function render(
  atlas: Atlas,
  { objects, background, width }: Pick<Sketch, "objects" | "background" | "width">,
): Uint8Array {
  const out = paintBackground(background, width);
  for (const { class: name, color, x, y, size } of objects) {
    const { rgba } = spriteOf(atlas, name, color, size);
    for (let row = 0; row < size; row++) {
      let to = ((y + row) * width + x) * 3;
      let from = row * size * 4;
      for (let column = 0; column < size; column++, to += 3, from += 4) {
        const alpha = rgba[from + 3];
        if (alpha === 0) continue;
        for (let c = 0; c < 3; c++)
          out[to + c] = Math.round((rgba[from + c] * alpha + out[to + c] * (255 - alpha)) / 255);
      }
    }
  }
  return out;
}

function promptOf(
  task: Task,
  objects: readonly SceneObject[],
  background: BackgroundName,
  domain: Domain,
  rng: Rng,
): string {
  const saysColor = task === "colors" || task === "color_attr";
  const group = ({ class: name, color }: SceneObject, count: number): Group => ({
    class: name,
    color: saysColor ? color : null,
    count,
  });
  const either = rng.int(2) === 0 ? objects : objects.toReversed();
  const [a, b] = domain.namesInOrder && task !== "position" ? inOrder(either) : either;
  const said = rng.uniform() < domain.namesBackground && wordsOf(background) ? background : null;
  const text =
    objects.length === 1 || task === "counting"
      ? sentence([group(objects[0], objects.length)], "and", said)
      : sentence([group(a, 1), group(b, 1)], task === "position" ? sideOf(a, b) : "and", said);
  return rng.uniform() < PREFIX_SHARE ? `${PREFIX} ${text}` : text;
}

/** Two objects as one reads them: the left or upper one first. */
const inOrder = ([a, b]: readonly SceneObject[]) =>
  b && ["right of", "below"].includes(sideOf(a, b)) ? [b, a] : [a, b];
