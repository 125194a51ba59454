/**
 * What may come before the stages: a student that draws without guidance what its teacher draws with it, learnt on pictures
 * of the data. It then teaches the first stage, at half the cost of a teacher with guidance. A stage may go on in the same
 * way, with states of trajectories among the pictures.
 */
import type { DistillConfig } from "./distill-config.ts";
import type { Data } from "./distill-data.ts";
import { type TeacherModel, tensorsOf } from "./distill-teacher.ts";
import type { TrainOptions } from "./loop.ts";
import { type ShowoTraining, showoTask } from "./showo.ts";

/** The task and its settings for the training loop. `followed`: states to learn from beside the pictures. */
export async function unguidedTraining(
  { unguided, rows, data: origin, seed }: DistillConfig & { unguided: NonNullable<DistillConfig["unguided"]> },
  {
    teacher,
    student,
    source,
    threads,
    steps = unguided.steps,
    followed,
  }: Pick<Data, "source"> & {
    teacher: TeacherModel;
    student: TeacherModel;
    threads?: number;
    steps?: number;
    followed?: NonNullable<ShowoTraining["guided"]>["followed"];
  },
): Promise<Pick<TrainOptions, "task" | "steps" | "schedule" | "optimizer">> {
  const { guidance, dialogues, guesses, told, learningRate, taskWeights } = unguided;
  const { showo, magvit } = student.networks.config;
  const pictures = tensorsOf(teacher.file("magvit"));
  const weights = tensorsOf(teacher.file("showo"));
  const settings = {
    config: showo,
    rows: { t2i: rows.image, lm: rows.lm, mmu: rows.text },
    taskWeights,
    promptDropout: 0,
    dialogues,
    guesses,
    answersAlike: true,
    seed,
  };
  const guided = { teacher: { config: teacher.networks.config.showo, weights }, guidance, told, followed };
  const parts = { tokenizer: teacher.text, magvit, magvitWeights: (name: string) => pictures[name], threads };
  return {
    task: await showoTask(
      { ...settings, guided, weights: student === teacher ? weights : tensorsOf(student.file("showo")) },
      parts,
      source,
      {
        ...settings,
        ...{ guidance, told, data: origin, teacher: teacher.hash, student: student.hash },
        ...(followed && { followed: { rows: followed.rows, steps: followed.steps } }),
      },
    ),
    steps,
    schedule: { kind: "cosine", peak: learningRate, warmup: Math.min(100, steps), floor: learningRate / 30 },
    optimizer: { betas: [0.9, 0.98], ema: 0.995, weightDecay: 0.01 },
  };
}
