/** What a picture shows, apart from pixels and words: which objects, how many, their colours, how they lie, and where. */
import { type BackgroundName, wordsOf } from "./backgrounds.ts";
import type { ClassName } from "./classes.ts";
import type { Color } from "./recolor.ts";

/** "A left of B" is the same fact as "B right of A", so two relations say all four. */
export type Relation = "left of" | "above";

/** Objects of one class and colour; colour null: not said, or nothing to say. */
export interface Group {
  readonly class: ClassName;
  readonly color: Color | null;
  readonly count: number;
}

export interface Facts {
  /** In the order of the relation where there is one, else by class name. */
  readonly groups: readonly Group[];
  readonly relation: Relation | null;
  readonly background: BackgroundName | null;
}

export interface SceneObject {
  readonly class: ClassName;
  /** As anyone would name it; null for a drawing without one plain colour. */
  readonly color: Color | null;
  /** Top left corner and side, in pixels of the picture. */
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

export type Side = Relation | "right of" | "below";
export const OPPOSITE = { "left of": "right of", "right of": "left of", above: "below", below: "above" } as const;

/** How the first of two lies to the second: along the axis on which their centres differ more; a tie counts as x. */
export function sideOf(a: SceneObject, b: SceneObject): Side {
  const dx = b.x + b.size / 2 - (a.x + a.size / 2);
  const dy = b.y + b.size / 2 - (a.y + a.size / 2);
  if (Math.abs(dx) >= Math.abs(dy)) return dx >= 0 ? "left of" : "right of";
  return dy >= 0 ? "above" : "below";
}

/** The facts in their one fixed order. */
export function facts(groups: readonly Group[], relation: Relation | null, background: BackgroundName | null): Facts {
  const key = (group: Group) => `${group.class} ${group.color}`;
  const byName = (a: Group, b: Group) => (key(a) < key(b) ? -1 : 1);
  return { groups: relation ? groups : groups.toSorted(byName), relation, background };
}

/** The facts of two groups, told from either side. */
export function related(a: Group, side: Side, b: Group, background: BackgroundName | null): Facts {
  if (side === "left of" || side === "above") return facts([a, b], side, background);
  return facts([b, a], side === "below" ? "above" : "left of", background);
}

/** The facts of a scene: one group of equal objects, or two different objects and how they lie. */
export function factsOf(scene: { objects: readonly SceneObject[]; background: BackgroundName }): Facts {
  const background = wordsOf(scene.background) === null ? null : scene.background;
  const [a, b] = scene.objects;
  const group = ({ class: name, color }: SceneObject, count: number): Group => ({ class: name, color, count });
  if (!b || b.class === a.class) return facts([group(a, scene.objects.length)], null, background);
  return related(group(a, 1), sideOf(a, b), group(b, 1), background);
}

const sameGroup = (a: Group, b: Group) => a.class === b.class && a.color === b.color && a.count === b.count;

export const sameFacts = (a: Facts, b: Facts): boolean =>
  a.relation === b.relation &&
  a.background === b.background &&
  a.groups.length === b.groups.length &&
  a.groups.every((group, i) => sameGroup(group, b.groups[i]));

/** Whether what is shown fulfils what was asked: all that was said holds; what was left open may be anything. */
export function implies(shown: Facts, asked: Facts): boolean {
  const match = (a: Group) =>
    shown.groups.findIndex((s) => s.class === a.class && s.count === a.count && (a.color ?? s.color) === s.color);
  const found = asked.groups.map(match);
  return (
    !found.includes(-1) &&
    (asked.background === null || asked.background === shown.background) &&
    (asked.relation === null || (asked.relation === shown.relation && found.every((at, i) => at === i)))
  );
}
