/** How wide a world of scenes is: its classes, colours, sizes, places, backgrounds and tasks. */
import { type BackgroundName, UNITS } from "./backgrounds.ts";
import { CLASS_NAMES, CLASSES, type ClassName, canBe } from "./classes.ts";
import { COLOR_NAMES, type Color } from "./recolor.ts";

/** The six tasks of GenEval (Ghosh et al., "GenEval: An Object-Focused Framework", NeurIPS 2023). */
export const TASKS = ["single_object", "two_object", "counting", "colors", "position", "color_attr"] as const;
export type Task = (typeof TASKS)[number];

export interface Domain {
  readonly classes: readonly ClassName[];
  readonly colors: readonly Color[];
  /** Sides of sprites in 64ths of the picture, multiples of the lattice; scenes of several objects use those up to 32. */
  readonly sizes: readonly number[];
  /** Sprites lie at multiples of this, in 64ths of the picture. */
  readonly lattice: number;
  readonly backgrounds: readonly BackgroundName[];
  /** Relative frequency of each task. */
  readonly tasks: Readonly<Record<Task, number>>;
  /** How often a prompt names a background that has words. Captions always do. */
  readonly namesBackground: number;
  /** Prompts of two objects that say nothing of how they lie name the left or upper one first, as a reader would. */
  readonly namesInOrder?: boolean;
}

const EASY_CLASSES = [
  ...([
    "dog",
    "cat",
    "cow",
    "elephant",
    "bird",
    "car",
    "bus",
    "bicycle",
    "airplane",
    "boat",
    "apple",
    "banana",
  ] as const),
  ...(["pizza", "donut", "cake", "carrot", "chair", "umbrella", "book", "clock", "cup", "teddy bear"] as const),
  ...(["backpack", "kite"] as const),
] as const satisfies readonly ClassName[];

const MEDIUM_CLASSES = [
  ...EASY_CLASSES,
  ...(["motorcycle", "train", "truck", "stop sign", "horse", "sheep", "bear", "zebra", "giraffe", "handbag"] as const),
  ...(["suitcase", "sports ball", "bowl", "orange", "broccoli", "couch"] as const),
] as const satisfies readonly ClassName[];

const EASY_COLORS = ["red", "orange", "yellow", "green", "blue", "purple"] as const satisfies readonly Color[];

const EASY_TASKS = {
  single_object: 0.15,
  two_object: 0.15,
  counting: 0.15,
  colors: 0.2,
  position: 0.15,
  color_attr: 0.2,
} as const satisfies Record<Task, number>;

export const DOMAINS = {
  /** As easy, but each object fills a quarter of the picture, so that few layouts fit a prompt. */
  quarters: {
    classes: EASY_CLASSES,
    colors: EASY_COLORS,
    sizes: [32],
    lattice: 32,
    backgrounds: ["plain", "grass", "night", "beach"],
    tasks: EASY_TASKS,
    namesBackground: 1,
    namesInOrder: true,
  },
  easy: {
    classes: EASY_CLASSES,
    colors: EASY_COLORS,
    sizes: [32],
    lattice: 8,
    backgrounds: ["plain", "grass", "night", "beach"],
    tasks: EASY_TASKS,
    namesBackground: 1,
  },
  medium: {
    classes: MEDIUM_CLASSES,
    colors: [...EASY_COLORS, "pink", "brown"],
    sizes: [24, 32],
    lattice: 8,
    backgrounds: ["plain", "grass", "night", "beach", "snow", "sunset"],
    tasks: EASY_TASKS,
    namesBackground: 1,
  },
  full: {
    classes: CLASS_NAMES,
    colors: COLOR_NAMES,
    sizes: [20, 24, 28, 32, 36, 40],
    lattice: 4,
    backgrounds: ["plain", "grass", "night", "beach", "snow", "sunset", "table", "wall"],
    tasks: EASY_TASKS,
    namesBackground: 0.9,
  },
} as const satisfies Record<string, Domain>;

export type DomainName = keyof typeof DOMAINS;

/** Whether every scene of one domain could be one of another. */
export function isWithin(narrow: Domain, wide: Domain): boolean {
  const parts = ["classes", "colors", "sizes", "backgrounds"] as const;
  const all = (part: (typeof parts)[number]) =>
    narrow[part].every((one) => (wide[part] as readonly unknown[]).includes(one));
  return parts.every(all) && narrow.lattice % wide.lattice === 0;
}

/** Sizes that fit beside each other. */
export const sharedSizes = (domain: Domain): readonly number[] => domain.sizes.filter((size) => size <= UNITS / 2);

/** Colours that a class can be shown in, its own among them. */
export const colorsOf = (domain: Domain, name: ClassName): readonly Color[] =>
  domain.colors.filter((color) => canBe(name, color));

/** The colour to name for the drawing as it is, or null. */
export const naturalOf = (domain: Domain, name: ClassName): Color | null => {
  const { natural } = CLASSES[name];
  return natural && domain.colors.includes(natural) ? natural : null;
};
