/** Trains a detector on scenes: centres by a focal loss, boxes by their distance, colours by cross entropy. */
import { f32, type NdArray, Rng } from "../base/index.ts";
import {
  abs,
  add,
  div,
  exp,
  log,
  logSoftmax,
  maximum,
  mul,
  neg,
  relu,
  sigmoid,
  square,
  sub,
  sum,
  type Tensor,
} from "../graph/index.ts";
import { type DetectorConfig, detectorGraph, detectorGrid } from "../models/detector/index.ts";
import type { Arrays } from "../runtime/index.ts";
import {
  type Atlas,
  CLASSES,
  type Domain,
  degrade,
  makeScene,
  ruin,
  type SceneObject,
  scramble,
  shifted,
  type Task,
} from "../scenes/index.ts";
import { pixelsOf } from "./lesson-arrays.ts";
import type { TrainTask } from "./loop.ts";
import type { Objective } from "./step.ts";

export interface DetectorTraining {
  config: DetectorConfig;
  batchSize: number;
  seed: number;
}

/** Of the tasks that a domain has. Scenes in colours come more often: telling a class in any colour is the hard part. */
const TASK_MIX: Partial<Record<Task, number>> = {
  single_object: 0.12,
  two_object: 0.12,
  counting: 0.14,
  colors: 0.32,
  color_attr: 0.3,
};
/** Shares of pictures that are degraded, with exchanged channels, off the lattice, scrambled, with one object ruined. */
const DEGRADED = 0.75;
const EXCHANGED = 0.2;
const SHIFTED = 0.5;
const SCRAMBLED = 0.04;
const RUINED = 0.2;
/** Pixels. */
const MAX_SHIFT = 4;
/** Deviation of the bump around a centre, in cells. */
const SPREAD = 0.7;
const REACH = 2;

/** Held-out combinations are shown as well: a judge must know them. */
export function detectorTask(
  { config, batchSize, seed }: DetectorTraining,
  { atlas, domain }: { atlas: Atlas; domain: Domain },
  about: unknown,
): TrainTask {
  const side = detectorGrid(config);
  const grid = (channels: number) => [batchSize, channels, side, side];
  return {
    name: "detector",
    config: about,
    batchSize,
    build(graph): Objective {
      const target = (name: string, channels: number) => graph.input(name, "float32", grid(channels));
      const pixels = graph.input("pixels", "float32", [batchSize, 3, config.resolution, config.resolution]);
      const { centers, boxes, colors } = detectorGraph(pixels, config);
      const here = target("here", 1);
      const found = focalLoss(centers, target("centers", config.classes.length), maximum(sum(here), 1));
      const placed = div(sum(mul(abs(sub(boxes, target("boxes", 4))), here)), maximum(sum(here), 1));
      const labels = target("colors", config.colors.length + 1);
      const painted = div(neg(sum(mul(labels, logSoftmax(colors, 1)))), maximum(sum(labels), 1));
      const loss = add(add(found, mul(placed, 0.2)), painted);
      return { loss, metrics: { centers: found, boxes: placed, colors: painted } };
    },
    batch(step) {
      const pictures = Array.from({ length: batchSize }, (_, i) =>
        trainingPicture(atlas, domain, config, seed, step * batchSize + i),
      );
      return { pixels: pixelsOf(pictures), ...targetsOf(config, pictures) };
    },
  };
}

export interface TrainingPicture {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** What is to be found; not what was ruined. */
  readonly objects: readonly SceneObject[];
  /** Whether colours are what they are called. */
  readonly colored: boolean;
}

/** Picture `index` of the endless stream: both splits in turn, spoilt at random. */
export function trainingPicture(
  atlas: Atlas,
  domain: Domain,
  { resolution }: DetectorConfig,
  seed: number,
  index: number,
): TrainingPicture {
  const split = index % 2 ? "heldout" : "train";
  const tasks = Object.fromEntries(Object.entries(TASK_MIX).filter(([task]) => domain.tasks[task as Task] > 0));
  const scene = makeScene(atlas, domain, { seed, index, split, tasks, pixels: resolution });
  const rng = new Rng(seed, index).fork(1);
  const size = { width: scene.width, height: scene.height };
  const spoilt = (pixels: Uint8Array) => (rng.uniform() < DEGRADED ? degrade(pixels, rng) : pixels);
  if (rng.uniform() < SCRAMBLED)
    return { ...size, pixels: spoilt(scramble(scene.pixels, rng)), objects: [], colored: false };
  const colored = rng.uniform() >= EXCHANGED;
  let pixels = colored ? scene.pixels : exchangeChannels(scene.pixels, rng);
  let objects = scene.objects;
  if (rng.uniform() < RUINED) {
    const lost = rng.pick(objects);
    pixels = ruin(pixels, lost, rng);
    objects = objects.filter((object) => object !== lost);
  }
  if (rng.uniform() < SHIFTED) {
    const [dx, dy] = [0, 0].map(() => rng.int(2 * MAX_SHIFT + 1) - MAX_SHIFT);
    pixels = shifted(pixels, dx, dy);
    objects = objects.map((object) => ({ ...object, x: object.x + dx, y: object.y + dy }));
  }
  return { ...size, pixels: spoilt(pixels), objects, colored };
}

/** The three channels in another order, so that a class cannot be known by its colour. */
function exchangeChannels(pixels: Uint8Array, rng: Rng): Uint8Array {
  const order = rng.pick([
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]);
  return pixels.map((_, i) => pixels[i - (i % 3) + order[i % 3]]);
}

/** The four arrays that the outputs should be like, and `here`, 1 in the cells of centres. */
export function targetsOf(config: DetectorConfig, pictures: readonly TrainingPicture[]): Arrays {
  const side = detectorGrid(config);
  const { patch } = config;
  const area = side * side;
  const array = (channels: number) => f32([pictures.length, channels, side, side]);
  const [here, centers, boxes] = [array(1), array(config.classes.length), array(4)];
  const colors = array(config.colors.length + 1);
  const put = ({ data, shape }: NdArray<"float32">, b: number, channel: number, cell: number, value: number) => {
    data[(b * shape[1] + channel) * area + cell] = value;
  };
  for (const [b, { objects, colored }] of pictures.entries())
    for (const { class: name, color, x, y, size } of objects) {
      const [cx, cy, extent] = [(x + size / 2) / patch, (y + size / 2) / patch, size / patch];
      const [column, row] = [Math.floor(cx), Math.floor(cy)];
      const cell = row * side + column;
      put(here, b, 0, cell, 1);
      for (const [i, value] of [cx - column, cy - row, extent, extent].entries()) put(boxes, b, i, cell, value);
      // One detector serves every domain: a natural colour counts also where the domain does not name it.
      const named = config.colors.indexOf(color ?? CLASSES[name].natural ?? "");
      if (colored) put(colors, b, named < 0 ? config.colors.length : named, cell, 1);
      const plane = (b * config.classes.length + config.classes.indexOf(name)) * area;
      for (let v = Math.max(0, row - REACH); v <= Math.min(side - 1, row + REACH); v++)
        for (let u = Math.max(0, column - REACH); u <= Math.min(side - 1, column + REACH); u++) {
          const bump = Math.exp(-((u - column) ** 2 + (v - row) ** 2) / (2 * SPREAD ** 2));
          centers.data[plane + v * side + u] = Math.max(bump, centers.data[plane + v * side + u]);
        }
    }
  return { here, centers, boxes, colors };
}

/**
 * Penalty-reduced focal loss (Zhou et al. 2019, equation 1; alpha 2, beta 4) per object: -(1-p)^2 ln p at centres,
 * -(1-y)^4 p^2 ln(1-p) elsewhere.
 */
export function focalLoss(logits: Tensor, target: Tensor, objects: Tensor): Tensor {
  const p = sigmoid(logits);
  const miss = softplus(neg(logits)); // -ln p
  const alarm = softplus(logits); // -ln(1-p)
  // Exactly 1 at centres, and less elsewhere: a bump falls to 0.36 one cell away.
  const isCenter = relu(sub(mul(target, 2), 1));
  const far = square(square(sub(1, target)));
  const found = mul(mul(square(sub(1, p)), miss), isCenter);
  return div(sum(add(found, mul(mul(square(p), alarm), far))), objects);
}

/** ln(1 + e^x) without overflow. */
const softplus = (x: Tensor): Tensor => add(relu(x), log(add(exp(neg(abs(x))), 1)));
