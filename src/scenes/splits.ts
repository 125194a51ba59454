/**
 * Which combinations training never sees. A hash of the names decides, so that a combination held out of one domain is
 * held out of every domain.
 */
import { uniformAt } from "../base/index.ts";
import { CLASSES, type ClassName } from "./classes.ts";
import { colorsOf, type Domain } from "./domains.ts";
import type { Color } from "./recolor.ts";

export type Split = "train" | "heldout";

const PAIR_SHARE = 0.2;
/**
 * Lower: a colour that a class was never seen in is a new set of codes at every place of it, and a small model draws none of
 * them, so that each one held out is one that users do not get (docs/LOG.md).
 */
const COLOR_SHARE = 0.05;
/** Of the first 6000, the one that takes least from any single class or colour: never more than three eighths. */
const SEED = 47;

/** FNV-1a, 32 bits, over character codes. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

const chosen = (key: string, share: number) => uniformAt(SEED, hash(key)) < share;

/** Whether two classes never share a picture in training. The order does not matter. */
export const isPairHeldOut = (a: ClassName, b: ClassName): boolean => chosen([a, b].sort().join("+"), PAIR_SHARE);

/** Whether training never shows the class in this colour. The colour a class comes in is never held out. */
export const isColorHeldOut = (color: Color, name: ClassName): boolean =>
  color !== CLASSES[name].natural && chosen(`${color} ${name}`, COLOR_SHARE);

/** Every unordered pair of different classes of a domain. */
export const classPairs = (domain: Domain): [ClassName, ClassName][] =>
  domain.classes.flatMap((a, i) => domain.classes.slice(i + 1).map((b): [ClassName, ClassName] => [a, b]));

/** Every colour that a class of a domain can be shown in. */
export const colorPairs = (domain: Domain): [Color, ClassName][] =>
  domain.classes.flatMap((name) => colorsOf(domain, name).map((color): [Color, ClassName] => [color, name]));

export const heldOutPairs = (domain: Domain) => classPairs(domain).filter(([a, b]) => isPairHeldOut(a, b));
export const heldOutColors = (domain: Domain) =>
  colorPairs(domain).filter(([color, name]) => isColorHeldOut(color, name));
