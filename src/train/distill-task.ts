/** Consistency distillation as a task of the training loop: trajectories to batches, the losses, signs of collapse. */
import { fail, type NdArray, Rng } from "../base/index.ts";
import { type ShowoConfig, textRow } from "../models/showo/index.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import { type DistillSettings, distillFeeds, distillLosses } from "./distill-losses.ts";
import { textLengthOf } from "./distill-teacher.ts";
import { textPair } from "./distill-trajectory.ts";
import type { TrainTask } from "./loop.ts";
import { adaptLayers, isLora } from "./lora.ts";
import { type ImageTrajectory, imagePoints, type TextTrajectory, targetCount } from "./trajectories.ts";

/** Where the trajectories of a batch come from: a function of step and micro-batch alone. */
export interface TrajectorySource {
  pictures(rng: Rng, count: number): Promise<readonly ImageTrajectory[]>;
  texts(rng: Rng, count: number): Promise<readonly TextTrajectory[]>;
  /** Ids of a plain text. */
  plain(rng: Rng): readonly number[];
}

/** Trajectories in memory, drawn at random. Errors: none of a kind. */
export function fromMemory(
  pictures: readonly ImageTrajectory[],
  texts: readonly TextTrajectory[],
  plain: TrajectorySource["plain"],
): TrajectorySource {
  for (const [what, all] of Object.entries({ pictures, texts }))
    if (!all.length) fail(`there are no trajectories of ${what} to learn from`, { hint: "Collect more of them." });
  const some = <T>(all: readonly T[], rng: Rng, count: number) => Array.from({ length: count }, () => rng.pick(all));
  return {
    pictures: async (rng, count) => some(pictures, rng, count),
    texts: async (rng, count) => some(texts, rng, count),
    plain,
  };
}

/** Micro-batches of a step have numbers of their own. */
const MOST_MICRO = 64;

export interface DistillParts {
  /** The student's sizes. */
  showo: ShowoConfig;
  /** What the student starts from. */
  weights: Readonly<Record<string, NdArray<"float32">>>;
  /** Hash of the teacher, so that a run does not go on with another one. */
  teacher: string;
  source: TrajectorySource;
  sample?: TrainTask["sample"];
}

export function distillTask(config: DistillConfig, stage: DistillStage, parts: DistillParts): TrainTask {
  const { rows, weights, learnt, consistency, seed, lora, leastDiversity, trajectories } = config;
  const { showo, source } = parts;
  const segments = { passes: stage.passes, segments: stage.segments, consistency };
  // Behind the picture and the start of the text.
  const picture = showo.imageTokens + 4;
  const settings: DistillSettings = {
    rows,
    textLength: textLengthOf(showo, trajectories.answerTokens),
    textIgnored: typeof learnt === "number" ? learnt : picture,
    textPoints: config.textPoints,
    textEnds: stage.textSegments === 1 ? "last" : "own",
    targets: targetCount(segments),
    weights,
  };
  return {
    name: "distill",
    config: { ...config, stages: [stage], showo, teacher: parts.teacher },
    batchSize: rows.image + rows.text + rows.lm,
    weights: parts.weights,
    frozen: lora && ((name) => !isLora(name)),
    // As published: norms, biases and embeddings decay as well.
    decays: () => true,
    sample: parts.sample,
    build(graph) {
      if (lora) adaptLayers(graph, lora);
      const { total, image, text, ...terms } = distillLosses(graph, showo, settings);
      return { loss: total, metrics: terms };
    },
    async batch(step, micro) {
      const rng = new Rng(seed, step * MOST_MICRO + micro);
      const pictures = await source.pictures(rng, rows.image);
      const picked = pictures.map((trajectory) => ({ trajectory, step: rng.int(stage.passes) }));
      const texts = (await source.texts(rng, rows.text)).flatMap(({ prompt, points, asked }) =>
        Array.from({ length: config.textPoints }, () => ({
          ...textPair(prompt, points, { segments: stage.textSegments, index: rng.int(points.length - 1) }),
          ...(learnt === "answer" && { answer: asked }),
        })),
      );
      return distillFeeds(showo, settings, {
        prompts: pictures.map(({ prompt }) => prompt),
        image: imagePoints(picked, showo.codebookSize, segments),
        texts,
        lm: Array.from({ length: rows.lm }, () => textRow(showo, source.plain(rng))),
      });
    },
    check({ imageDiversity, textDiversity }, step) {
      for (const [what, diversity] of Object.entries({ pictures: imageDiversity, texts: textDiversity }))
        if (!(diversity >= leastDiversity))
          fail(`training collapsed at step ${step}`, {
            where: what,
            expected: `predictions at least ${leastDiversity} times as varied as the labels`,
            got: diversity.toPrecision(3),
            hint: "The last checkpoint is from before. Raise the weights of the regularisation, or lower the learning rate.",
            code: "DIVERGED",
          });
    },
  };
}
