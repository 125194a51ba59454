/** What the scenes know of each class: its plural, the colour of its drawing, and the colours it can be given. */
import { CELLS } from "./atlas/cells.ts";
import type { Color, Paint } from "./recolor.ts";

export type ClassName = (typeof CELLS)[number];
export const CLASS_NAMES: readonly ClassName[] = CELLS;

export interface ClassInfo {
  /** Colour that anyone would name for the drawing as it is; a red apple is an apple as it comes. */
  natural?: Color;
  /** Which part takes a new colour; without it the class keeps its drawing. */
  paint?: Paint;
  /** Colours that do not convince, or that look like the drawing as it is although nobody would name that. */
  not?: readonly Color[];
  /** Name of several; the name with an "s" unless said. Null: never counted. */
  plural?: string | null;
}

export const CLASSES: Record<ClassName, ClassInfo> = {
  bicycle: { paint: "hue" },
  car: { natural: "red", paint: "hue" },
  motorcycle: { natural: "red", paint: "hue" },
  airplane: { natural: "blue", paint: "hue" },
  bus: { paint: "hue", not: ["orange", "yellow"], plural: "buses" },
  train: {},
  truck: {},
  boat: { paint: "hue", not: ["red", "orange"] },
  "traffic light": {},
  "stop sign": { natural: "red", paint: "hue" },
  bird: { natural: "blue", paint: "hue" },
  cat: { paint: "hue", not: ["orange", "yellow"] },
  dog: { paint: "hue" },
  horse: { paint: "hue", not: ["orange", "yellow", "brown"] },
  sheep: { natural: "white", paint: "grey", plural: "sheep" },
  cow: { paint: "grey", not: ["black", "white"] },
  elephant: { paint: "grey" },
  bear: { natural: "brown", paint: "hue" },
  zebra: {},
  giraffe: { paint: "hue", not: ["orange", "yellow"] },
  backpack: { natural: "red", paint: "hue" },
  umbrella: { paint: "hue", not: ["blue", "purple"] },
  handbag: { natural: "brown", paint: "hue" },
  tie: { natural: "yellow", paint: "hue" },
  suitcase: { natural: "blue", paint: "hue" },
  frisbee: { natural: "blue", paint: "hue" },
  skis: { natural: "blue", paint: "hue", plural: null },
  "sports ball": { natural: "white", paint: "grey", not: ["black"] },
  kite: {},
  skateboard: {},
  "tennis racket": { natural: "blue", paint: "hue" },
  bottle: { natural: "green", paint: "hue" },
  "wine glass": { natural: "red", paint: "hue", not: ["white"], plural: "wine glasses" },
  cup: { natural: "white", paint: "grey" },
  fork: { paint: "grey", not: ["white"] },
  knife: { paint: "grey", not: ["black", "white"], plural: "knives" },
  spoon: { paint: "grey", not: ["white"] },
  bowl: { natural: "blue", paint: "hue" },
  banana: { natural: "yellow", paint: "hue" },
  apple: { natural: "red", paint: "hue" },
  sandwich: { plural: "sandwiches" },
  orange: { natural: "orange", paint: "hue" },
  broccoli: { natural: "green", paint: "hue", not: ["white"], plural: null },
  carrot: { natural: "orange", paint: "hue" },
  "hot dog": { paint: "hue", not: ["orange", "yellow"] },
  pizza: { paint: "hue", not: ["orange", "yellow", "brown"] },
  donut: { natural: "brown", paint: "hue" },
  cake: {},
  chair: { natural: "brown", paint: "hue" },
  couch: { natural: "blue", paint: "hue", plural: "couches" },
  "potted plant": {},
  bed: { natural: "blue", paint: "hue" },
  toilet: { natural: "white", paint: "grey" },
  tv: { paint: "hue", not: ["black"] },
  laptop: { paint: "grey", not: ["white"] },
  "computer mouse": { natural: "white", paint: "grey", plural: "computer mice" },
  "computer keyboard": { natural: "white", paint: "grey" },
  "cell phone": { natural: "black" },
  book: { natural: "red", paint: "hue" },
  clock: { natural: "red", paint: "hue" },
  vase: { paint: "hue", not: ["orange", "brown"] },
  scissors: { natural: "red", paint: "hue", plural: null },
  "teddy bear": { natural: "brown", paint: "hue" },
  toothbrush: { natural: "orange", paint: "hue", plural: "toothbrushes" },
};

/** The name of several, or null for classes that are never counted. */
export const pluralOf = (name: ClassName): string | null => {
  const { plural } = CLASSES[name];
  return plural === undefined ? `${name}s` : plural;
};

/** Whether a class can be shown in a colour, by its drawing as it is or by paint. */
export const canBe = (name: ClassName, color: Color): boolean => {
  const { natural, paint, not } = CLASSES[name];
  return color === natural || (paint !== undefined && !not?.includes(color));
};
