/**
 * Whether a picture shows what was asked, by the rules of GenEval (Ghosh et al., "GenEval: An Object-Focused
 * Framework", NeurIPS 2023). Works on what a detector found; knows neither pictures nor models. Backgrounds are not judged.
 */
import type { Detection, Thresholds } from "../models/detector/index.ts";
import type { Facts, Group, Relation, Task } from "../scenes/index.ts";

/** Centres must differ by more than this share of both objects' size for one to lie beside the other. */
const POSITION_MARGIN = 0.1;
/** Objects of one class that are looked at. */
const MAX_OBJECTS = 16;

export interface Verdict {
  right: boolean;
  /** The first rule that does not hold. */
  reason?: string;
}

/**
 * Each group asked for needs as many objects of its class; the surest so many must have its colour, and lie as asked.
 * Further objects do not matter, except where they are counted: then there must be exactly so many, and a higher score
 * makes an object. `found` is sorted, the surest first.
 */
export function judge(
  task: Task,
  { groups, relation }: Facts,
  found: readonly Detection[],
  thresholds: Thresholds,
): Verdict {
  const counting = task === "counting";
  const surest = (group: Group) =>
    found
      .filter(({ class: name, score }) => name === group.class && score > thresholds[counting ? "counted" : "present"])
      .slice(0, MAX_OBJECTS);
  const matched: (readonly Detection[])[] = [];
  for (const group of groups) {
    const { class: name, count, color } = group;
    const objects = surest(group);
    if (objects.length < count || (counting && objects.length > count))
      return no(`${count} of ${name} expected, ${objects.length} found`);
    const chosen = objects.slice(0, count);
    const other = chosen.find((object) => color !== null && object.color !== color);
    if (other) return no(`${color} ${name} expected, ${other.color ?? "another colour"} found`);
    matched.push(chosen);
  }
  if (relation)
    for (const a of matched[0])
      for (const b of matched[1])
        if (!liesTo(a, b).includes(relation)) return no(`${groups[0].class} is not ${relation} ${groups[1].class}`);
  return { right: true };
}

const no = (reason: string): Verdict => ({ right: false, reason });

/**
 * How a lies to b: the offset of their centres, shortened along each axis by the margin, must point that way by more
 * than half of its length. None, one or two hold.
 */
export function liesTo(a: Detection, b: Detection): (Relation | "right of" | "below")[] {
  const offset = (at: "x" | "y", size: "width" | "height") => {
    const difference = a[at] + a[size] / 2 - (b[at] + b[size] / 2);
    return { difference, clear: Math.max(Math.abs(difference) - POSITION_MARGIN * (a[size] + b[size]), 0) };
  };
  const [x, y] = [offset("x", "width"), offset("y", "height")];
  const length = Math.hypot(x.difference, y.difference);
  const points = ({ difference, clear }: typeof x, sign: 1 | -1) =>
    Math.sign(difference) === sign && clear / length > 0.5;
  const sides = [
    ["left of", points(x, -1)],
    ["right of", points(x, 1)],
    ["above", points(y, -1)],
    ["below", points(y, 1)],
  ] as const;
  return sides.filter(([, holds]) => holds).map(([side]) => side);
}
