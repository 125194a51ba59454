/**
 * Consistency distillation from a teacher's folder to a student's (Show-o Turbo, section 3): trajectories, training, a
 * model; then the same again with that model as the teacher. Killed at any moment, it goes on where it was.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/index.ts";
import { writeJson } from "../files/index.ts";
import { checkSameConfig, type RunConfig } from "./checkpoint.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import {
  collect,
  collectionsOf,
  type Data,
  type DistillProgress,
  dataOf,
  type Tell,
  trajectoriesOf,
} from "./distill-data.ts";
import { followedLearnt, pack, sampler, stageLearnt } from "./distill-pack.ts";
import { distillTask } from "./distill-task.ts";
import { checkFit, openTeacher, type TeacherModel, tensorsOf } from "./distill-teacher.ts";
import { unguidedTraining } from "./distill-unguided.ts";
import { type TrainOptions, train } from "./loop.ts";
import { type CollectOptions, readTrajectories } from "./trajectory-files.ts";

export interface DistillRunOptions {
  /** Folder of the run: `stage-1/model`, `stage-2/model`, ... come out in it. */
  out: string;
  threads?: number;
  signal?: AbortSignal;
  every?: TrainOptions["every"];
  onProgress?(progress: DistillProgress): void;
}

/** Runs all stages and returns the folder of the last student. Errors: a student that does not fit, DIVERGED, ABORTED. */
export async function distillModel(config: DistillConfig, options: DistillRunOptions): Promise<string> {
  let [teacher, student] = [config.teacher, config.student ?? config.teacher];
  const tellOf =
    (stage: number): Tell =>
    (progress) =>
      options.onProgress?.({ stage, stages: config.stages.length, ...progress });
  if (asksUnguided(config)) {
    const out = join(options.out, UNGUIDED);
    const settings = unguidedSettings(config);
    await once(out, settings, () =>
      learnUnguided(config, { teacher, student, out, settings }, { ...options, tell: tellOf(0) }),
    );
    teacher = student = join(out, MODEL);
  }
  for (const [i, stage] of config.stages.entries()) {
    const out = join(options.out, `stage-${i + 1}`);
    const settings = settingsOf(config, stage);
    const run = stage.followed ? followStage : distillStage;
    const from = guideOf(config, stage) ?? (stage.followed ? student : teacher);
    await once(out, settings, () =>
      run(config, stage, { teacher: from, student, out, settings }, { ...options, tell: tellOf(i + 1) }),
    );
    teacher = student = join(out, MODEL);
  }
  return teacher;
}

const MODEL = "model";
const UNGUIDED = "unguided";
const SETTINGS = "settings.json";

type Unguided = DistillConfig & { unguided: NonNullable<DistillConfig["unguided"]> };
const asksUnguided = (config: DistillConfig): config is Unguided => Boolean(config.unguided?.steps);

/** The very first teacher, where it is the one to follow. */
const guideOf = (config: DistillConfig, { followed }: DistillStage): string | undefined =>
  followed?.by === "teacher" ? config.teacher : undefined;

/** All that a stage's model depends on but its teacher's weights. */
const settingsOf = (config: DistillConfig, stage: DistillStage) => ({ ...config, stages: [stage] });
const unguidedSettings = ({ name, teacher, student, data, seed, rows, micro, unguided, defaults }: Unguided) => {
  return { name, teacher, student, data, seed, rows, micro, unguided, defaults };
};

/** Makes a model unless it is there. Errors: it was made with other settings. */
async function once(out: string, settings: RunConfig, make: () => Promise<void>): Promise<void> {
  if (!existsSync(join(out, MODEL, "config.json"))) return make();
  const made = JSON.parse(readFileSync(join(out, SETTINGS), "utf8"));
  checkSameConfig({ dir: out, step: 0, config: made }, settings);
}

/**
 * Collects trajectories of the first stage that is not done, beside other processes that do the same; `part` 0 ... parts-1
 * says which. Returns whether there was anything to do. Errors: a first stage whose teacher is still to be made.
 */
export async function collectStage(
  config: DistillConfig,
  { out, threads, signal, part, parts, onProgress }: DistillRunOptions & Pick<CollectOptions, "part" | "parts">,
): Promise<boolean> {
  const done = (stage: string) => existsSync(join(out, stage, MODEL, "config.json"));
  const i = config.stages.findIndex((_, at) => !done(`stage-${at + 1}`));
  if (i < 0) return false;
  const guide = guideOf(config, config.stages[i]);
  const before = guide !== undefined ? undefined : i > 0 ? `stage-${i}` : asksUnguided(config) ? UNGUIDED : undefined;
  if (before && !done(before))
    fail("there is nobody to follow yet", {
      where: join(out, before),
      expected: "the student without guidance, which teaches the first stage",
      hint: "Run the distillation without collecting; stop it when that student is done.",
      code: "NOT_FOUND",
    });
  const folder = join(out, `stage-${i + 1}`);
  const first = guide ?? (config.stages[i].followed && config.student) ?? config.teacher;
  const teacher = await openTeacher(before ? join(out, before, MODEL) : first, { threads });
  try {
    const tell = ({ collecting }: Pick<DistillProgress, "collecting">) =>
      onProgress?.({ stage: i + 1, stages: config.stages.length, collecting });
    await collect(await collectionsOf(config, config.stages[i], teacher, folder), { part, parts, signal }, tell);
    return true;
  } finally {
    await teacher.dispose();
  }
}

/** Where a stage's models lie, and where its own goes. */
interface Place {
  teacher: string;
  student: string;
  out: string;
  settings: RunConfig;
}

/** Trains in `out`/run what `training` says and packs the student. */
async function learn(
  config: DistillConfig,
  place: Place,
  { threads, signal, every, tell }: DistillRunOptions & { tell: Tell },
  lesson: (models: { teacher: TeacherModel; student: TeacherModel; data: Data }) => Promise<{
    training: Pick<TrainOptions, "task" | "steps" | "schedule" | "optimizer">;
    learnt: readonly string[];
  }>,
): Promise<void> {
  const { out } = place;
  const teacher = await openTeacher(place.teacher, { threads });
  const student = place.student === place.teacher ? teacher : await openTeacher(place.student, { threads });
  try {
    checkFit(teacher, student);
    const data = await dataOf(config, teacher.networks.config.magvit.resolution);
    const { training, learnt } = await lesson({ teacher, student, data });
    const checkpoint = await train({
      ...training,
      out: join(out, "run"),
      micro: config.micro,
      seed: config.seed,
      every,
      resume: true,
      threads,
      spinning: false,
      signal,
      onProgress: (progress) => tell({ training: progress }),
    });
    await writeJson(join(out, SETTINGS), place.settings);
    await pack(config, { teacher, student, checkpoint, out, learnt });
  } finally {
    await teacher.dispose();
    if (student !== teacher) await student.dispose();
  }
}

type RunStage = (
  config: DistillConfig,
  stage: DistillStage,
  place: Place,
  options: DistillRunOptions & { tell: Tell },
) => Promise<void>;

const distillStage: RunStage = (config, stage, place, options) =>
  learn(config, place, options, async ({ teacher, student, data }) => {
    const { signal, tell } = options;
    const source = await trajectoriesOf(config, stage, { teacher, data, out: place.out, signal }, tell);
    const { showo } = student.networks.config;
    const weights = tensorsOf(student.file("showo"));
    const sample = sampler(config, teacher, student, data);
    const { weightDecay, ema } = config.optimizer;
    return {
      training: {
        task: distillTask(config, stage, { showo, weights, teacher: teacher.hash, source, sample }),
        steps: stage.steps,
        schedule: scheduleOf(config, stage),
        optimizer: { weightDecay, ema },
      },
      learnt: stageLearnt(config, stage, teacher),
    };
  });

const learnUnguided = (config: Unguided, place: Place, options: DistillRunOptions & { tell: Tell }): Promise<void> =>
  learn(config, place, options, async ({ teacher, student, data: { source } }) => ({
    training: await unguidedTraining(config, { teacher, student, source, threads: options.threads }),
    learnt: [
      `${teacher.networks.config.model} without guidance, as it draws with guidance ${config.unguided.guidance}.`,
    ],
  }));

/** Ends of pictures that the student or the first teacher drew; guidance is the first teacher's. */
const followStage: RunStage = (config, stage, place, options) =>
  learn(config, place, options, async ({ teacher, student, data }) => {
    const { threads, signal, tell } = options;
    const collections = await collectionsOf(config, stage, teacher, place.out, data);
    await collect(collections, { signal }, tell);
    const trajectories = readTrajectories(collections.pictures.collection);
    const guide = await openTeacher(config.teacher, { threads });
    try {
      checkFit(guide, student);
      const followed = { ...stage.followed!, trajectories };
      const how = { teacher: guide, student, source: data.source, threads, steps: stage.steps, followed };
      return {
        training: await unguidedTraining(config as Unguided, how),
        learnt: followedLearnt(config, stage, guide),
      };
    } finally {
      await guide.dispose();
    }
  });

function scheduleOf({ optimizer: { learningRate: peak, kind, warmup } }: DistillConfig, { steps }: DistillStage) {
  return { kind, peak, warmup: Math.min(warmup, steps), ...(kind === "cosine" && { floor: peak / 20 }) };
}
