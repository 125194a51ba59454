/** Scenes to order: pictures of which given facts are true, for measuring how well a judge recognises them. */
import { internal, Rng } from "../base/index.ts";
import type { Atlas } from "./atlas.ts";
import { type BackgroundName, hides, UNITS, wordsOf } from "./backgrounds.ts";
import { canBe } from "./classes.ts";
import { type Domain, naturalOf } from "./domains.ts";
import { type Facts, type SceneObject, sideOf } from "./facts.ts";
import { arrange, MAX_COUNT, render } from "./scene.ts";

export interface Staged {
  readonly width: number;
  readonly height: number;
  /** RGB bytes, row by row. */
  readonly pixels: Uint8Array;
  readonly objects: readonly SceneObject[];
  readonly background: BackgroundName;
}

export interface StageOptions {
  seed: number;
  /** Which of the pictures of these facts, from 0. */
  index: number;
  /** Side of the picture, a multiple of 64; 64 by default. */
  pixels?: number;
}

const MAX_TRIES = 1000;

/** Side of the scenes to show to a model that sees pictures of `resolution` pixels: the largest that fits, 64 at least. */
export const scenePixels = (resolution: number): number => UNITS * Math.max(1, Math.floor(resolution / UNITS));

/** Why no scene can show these facts, or undefined when they can. */
export function cannotStage({ groups }: Facts): string | undefined {
  for (const { class: name, color } of groups)
    if (color && !canBe(name, color)) return `scenes have no ${color} ${name}`;
  if (new Set(groups.map((group) => group.class)).size < groups.length) return "both objects are of one class";
  const count = groups.reduce((n, group) => n + group.count, 0);
  return count > MAX_COUNT ? `scenes have ${MAX_COUNT} objects at most` : undefined;
}

/**
 * A picture of `asked`, which `cannotStage` has nothing against. Where a background is left open it is one that no words
 * name, if the domain has one; objects of no said colour are as they come.
 */
export function stageScene(atlas: Atlas, domain: Domain, asked: Facts, options: StageOptions): Staged {
  const { seed, index, pixels = UNITS } = options;
  const rng = new Rng(seed, index);
  const actors = asked.groups.flatMap(({ class: name, color, count }) =>
    Array.from({ length: count }, () => ({ class: name, color: color ?? naturalOf(domain, name) })),
  );
  const scale = pixels / UNITS;
  const alike = asked.groups.length === 1;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const objects = arrange(actors.length, alike, domain, rng).map(({ x, y, size }, i) => ({
      ...actors[i],
      x: x * scale,
      y: y * scale,
      size: size * scale,
    }));
    if (asked.relation && sideOf(objects[0], objects.at(-1)!) !== asked.relation) continue;
    const background = asked.background ?? backgroundFor(domain, objects, rng);
    const scene = { width: pixels, height: pixels, objects, background };
    return { ...scene, pixels: render(atlas, scene) };
  }
  return internal("no places for the objects that were asked for");
}

function backgroundFor(domain: Domain, objects: readonly SceneObject[], rng: Rng): BackgroundName {
  const visible = domain.backgrounds.filter((name) => !objects.some(({ color }) => hides(name, color)));
  const wordless = visible.filter((name) => wordsOf(name) === null);
  return rng.pick(wordless.length ? wordless : visible.length ? visible : domain.backgrounds);
}
