/**
 * Trains next-scale transformers: from scratch by teacher forcing, a drafter on the scales it drafts, a refiner by the
 * logits of a larger model (VAR spec sections 7 and 8).
 */
import { i64, type NdArray, Rng } from "../base/index.ts";
import { type Graph, reshape, slice, stopGradient, type Tensor } from "../graph/index.ts";
import { type Encoded, type MsvqPrograms, scaleOffsets, tokenCount } from "../models/msvq/index.ts";
import { teacherForced, type VarConfig, varParameters } from "../models/var/index.ts";

import type { Arrays } from "../runtime/index.ts";
import { asTeacher, isTeachers, withTeacher } from "./frozen-teacher.ts";
import type { LabelledSource } from "./labelled.ts";
import { pixelsOf } from "./lesson-arrays.ts";
import type { TrainTask } from "./loop.ts";
import { type DrawnClass, drawnLessons } from "./var-drawn.ts";
import { distillation, tokenLoss } from "./var-losses.ts";
import { drawClasses } from "./var-samples.ts";
import { startWeights } from "./var-start.ts";

export interface VarTraining {
  config: VarConfig;
  batchSize: number;
  /** Share of pictures whose class is not told, for guidance. */
  labelDropout: number;
  seed: number;
  /** Start from these instead of from scratch. */
  weights?: Arrays;
  /** Learn the first scales alone: a drafter of so many. */
  scales?: number;
  /** Learn from this scale on (default 0): a refiner that goes on behind so many. */
  from?: number;
  /**
   * Up to so large a share of a picture's tokens (more in one picture, fewer in another) are another picture's when the next
   * scale is learnt, which is to correct them (default 0). Tokens of one scale are drawn apart and do not always agree; who has
   * only seen those that do goes on badly (docs/LOG.md).
   */
  astray?: number;
  /** Learn from these pictures of a larger model instead of the source's. */
  drawn?: readonly DrawnClass[];
}

/** Classes [B], ids [B, L] and what is read to tell them [B, L - l0, Z]. */
export interface VarLesson {
  labels: NdArray<"int64">;
  ids: NdArray<"int64">;
  inputs: NdArray<"float32">;
}

/** What learning has in common: pictures as tokens, some of them without their class. */
function lessons(
  { config, batchSize, labelDropout, seed, astray = 0, drawn }: VarTraining,
  tokenizer: MsvqPrograms,
  source: LabelledSource,
) {
  if (drawn) return drawnLessons({ drawn, batchSize, classes: config.classes, labelDropout, seed }, tokenizer);
  return async (step: number, micro: number, micros = 1): Promise<VarLesson> => {
    const first = (step * micros + micro) * batchSize;
    const pictures = source.pictures(first, batchSize, "train");
    const pixels = pixelsOf(pictures);
    const rng = new Rng(seed, first);
    const labels = i64(
      [batchSize],
      pictures.map(({ label }) => (rng.uniform() < labelDropout ? config.classes : label)),
    );
    const right = await tokenizer.encode(pixels);
    if (!astray) return { labels, ids: right.ids, inputs: right.inputs };
    const led = ledAstray(right.ids, astray, rng);
    const { ids, inputs } = await tokenizer.encode(pixels, led);
    return { labels, ids, inputs };
  };
}

/** Tokens [B, L] of the next picture in some places, -1 in the others. */
function ledAstray({ shape: [rows, length], data }: Encoded["ids"], most: number, rng: Rng): Int32Array {
  const out = new Int32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const share = most * rng.uniform();
    const other = ((row + 1) % rows) * length;
    for (let i = 0; i < length; i++) out[row * length + i] = rng.uniform() < share ? Number(data[other + i]) : -1;
  }
  return out;
}

/** Weight decay leaves out biases, places, levels and scales (VAR spec section 7). */
export const varDecays = (name: string, shape: readonly number[]): boolean =>
  shape.length >= 2 && !name.endsWith("bias") && !/pos_start|pos_1LC|lvl_embed|ada_gss|scale_mul/.test(name);

/** Cross entropy on the tokens of all scales, of the first or of the last ones. `micros`: batches a step, as given to `train`. */
export function varTask(
  training: VarTraining,
  tokenizer: MsvqPrograms,
  source: LabelledSource,
  { about, micros = 1 }: { about: unknown; micros?: number },
): TrainTask {
  const { config, batchSize, scales = config.sides.length, from = 0 } = training;
  const offsets = scaleOffsets(config);
  const [first, length] = [offsets[1], offsets[scales]];
  const last = length - offsets[from];
  const next = lessons(training, tokenizer, source);
  return {
    name: "var",
    config: about,
    batchSize,
    build(graph: Graph) {
      const { labels, ids, inputs } = taught(graph, config, batchSize, length);
      const logits = teacherForced(config, { labels, inputs, length, last });
      const own = offsets[scales] - offsets[scales - 1];
      const tail = tokenLoss(slice(logits, 1, last - own), slice(ids, 1, length - own));
      return { loss: tokenLoss(logits, slice(ids, 1, length - last)), metrics: { tail } };
    },
    async batch(step, micro) {
      const { labels, ids, inputs } = await next(step, micro, micros);
      return {
        labels,
        ids: firstTokens(ids, length),
        ...(length > first && { inputs: firstTokens(inputs, length - first) }),
      };
    },
    weights: training.weights ?? startWeights(config, varParameters(config), training.seed),
    decays: varDecays,
    sample: (weights, _step, dir) => drawClasses({ config, weights, scales }, tokenizer, source, `${dir}/classes.png`),
  };
}

export interface RefinerTraining extends Omit<VarTraining, "scales"> {
  teacher: { config: VarConfig; weights: Arrays };
  /** First scale that is learnt: 0 for the first stage, the number of drafted scales for the second. */
  from: number;
}

/** A refiner learns what the teacher would say at the scales from `from` on, given the same coarser scales. */
export function refinerTask(
  training: RefinerTraining,
  tokenizer: MsvqPrograms,
  source: LabelledSource,
  { about, micros = 1 }: { about: unknown; micros?: number },
): TrainTask {
  const { config, batchSize, teacher, from } = training;
  const length = tokenCount(config);
  const last = length - scaleOffsets(config)[from];
  const next = lessons(training, tokenizer, source);
  const start = training.weights ?? startWeights(config, varParameters(config), training.seed);
  return {
    name: "refiner",
    config: about,
    batchSize,
    build(graph: Graph) {
      const { labels, ids, inputs } = taught(graph, config, batchSize, length);
      const rows = (logits: Tensor) => reshape(logits, [batchSize * last, config.codebookSize]);
      const logits = teacherForced(config, { labels, inputs, last });
      const told = asTeacher(graph, () => teacherForced(teacher.config, { labels, inputs, last }));
      const tail = tokenLoss(logits, slice(ids, 1, length - last));
      return { loss: distillation(rows(logits), rows(stopGradient(told))), metrics: { tail } };
    },
    async batch(step, micro) {
      const { labels, ids, inputs } = await next(step, micro, micros);
      return { labels, ids, inputs };
    },
    weights: withTeacher(start, teacher.weights),
    frozen: isTeachers,
    decays: varDecays,
    sample: (weights, _step, dir) => drawClasses({ config, weights }, tokenizer, source, `${dir}/classes.png`),
  };
}

function taught(graph: Graph, config: VarConfig, batch: number, length: number) {
  const first = config.sides[0] ** 2;
  return {
    labels: graph.input("labels", "int64", [batch]),
    ids: graph.input("ids", "int64", [batch, length]),
    inputs: length > first ? graph.input("inputs", "float32", [batch, length - first, config.zChannels]) : undefined,
  };
}

/** The first `count` tokens of each row of [B, L] or [B, L, Z]. */
function firstTokens<A extends NdArray>(array: A, count: number): A {
  const [batch, length, ...rest] = array.shape;
  if (length === count) return array;
  const width = rest.reduce((a, b) => a * b, 1);
  const { data } = array as NdArray<"float32">;
  const out = data.slice(0, batch * count * width);
  for (let b = 0; b < batch; b++)
    out.set(data.subarray(b * length * width, (b * length + count) * width), b * count * width);
  return { ...array, shape: [batch, count, ...rest], data: out };
}
