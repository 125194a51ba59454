/** Pictures with one class each: scenes of a single object, or a folder of Fashion-MNIST's layout. Knows no model. */

import { shuffledRounds } from "../base/index.ts";
import { readIdxFolder } from "../files/index.ts";
import { enlarge, paste, picture } from "../image/index.ts";
import { type Atlas, CLASS_NAMES, COLOR_NAMES, type Domain, makeScene, type Split } from "../scenes/index.ts";

export interface LabelledPicture {
  /** RGB bytes [height, width, 3]. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Where the object is; without it every part matters alike. */
  readonly objects?: readonly { x: number; y: number; size: number }[];
  /** Index into the source's classes. */
  readonly label: number;
}

export interface LabelledSource {
  /** Side of its pictures. */
  readonly pixels: number;
  readonly classes: readonly string[];
  /** Pictures first ... first+count-1 of an endless stream: a function of these numbers alone. */
  pictures(first: number, count: number, split: Split): LabelledPicture[];
}

/** One object of any of the classes, large, in its own colours, on a lattice of 8 pixels before one of four backgrounds. */
export const OBJECTS: Domain = {
  classes: CLASS_NAMES,
  // Named so that no white sheep stands in the snow.
  colors: COLOR_NAMES,
  sizes: [48],
  lattice: 8,
  backgrounds: ["plain", "grass", "night", "beach"],
  tasks: { single_object: 1, two_object: 0, counting: 0, colors: 0, position: 0, color_attr: 0 },
  namesBackground: 1,
};

export function objectSource({ atlas, seed, pixels }: { atlas: Atlas; seed: number; pixels: number }): LabelledSource {
  return {
    pixels,
    classes: OBJECTS.classes,
    pictures: (first, count, split) =>
      Array.from({ length: count }, (_, i) => {
        const scene = makeScene(atlas, OBJECTS, { seed, index: first + i, split, pixels });
        const label = OBJECTS.classes.indexOf(scene.objects[0].class);
        return { pixels: scene.pixels, width: scene.width, height: scene.height, objects: scene.objects, label };
      }),
  };
}

const FASHION = ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/** Fashion-MNIST (Xiao et al., 2017) or files like it, in the middle of black squares; shuffled anew each epoch. */
export function fashionSource(folder: string, { seed, pixels }: { seed: number; pixels: number }): LabelledSource {
  const splits = { train: readIdxFolder(folder, "train"), heldout: readIdxFolder(folder, "t10k") };
  const places = {
    train: shuffledRounds(splits.train.count, seed),
    heldout: shuffledRounds(splits.heldout.count, seed),
  };
  return {
    pixels,
    classes: FASHION,
    pictures: (first, count, split) =>
      Array.from({ length: count }, (_, i) => {
        const { images, labels, width, height } = splits[split];
        const index = places[split](first + i);
        const grey = images.subarray(index * width * height, (index + 1) * width * height);
        const small = picture(
          width,
          height,
          Uint8Array.from({ length: grey.length * 3 }, (_, at) => grey[Math.floor(at / 3)]),
        );
        const factor = Math.max(1, Math.floor(pixels / Math.max(width, height)));
        const shown = enlarge(small, width * factor, height * factor);
        const out = picture(pixels, pixels);
        out.data.fill(0);
        paste(out, shown, (pixels - shown.width) >> 1, (pixels - shown.height) >> 1);
        return { pixels: out.data, width: pixels, height: pixels, label: labels[index] };
      }),
  };
}
