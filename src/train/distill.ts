/**
 * Consistency distillation from a teacher's folder to a student's (Show-o Turbo, section 3): trajectories, training, a
 * model; then the same again with that model as the teacher. Killed at any moment, it goes on where it was.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeJson } from "../files/index.ts";
import { checkSameConfig } from "./checkpoint.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import { collect, collectionsOf, type DistillProgress, dataOf, type Tell, trajectoriesOf } from "./distill-data.ts";
import { pack, sampler } from "./distill-pack.ts";
import { distillTask } from "./distill-task.ts";
import { checkFit, openTeacher, tensorsOf } from "./distill-teacher.ts";
import { type TrainOptions, train } from "./loop.ts";
import type { CollectOptions } from "./trajectory-files.ts";

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
  for (const [i, stage] of config.stages.entries()) {
    const out = join(options.out, `stage-${i + 1}`);
    const model = join(out, "model");
    if (existsSync(join(model, "config.json"))) checkDone(config, stage, out);
    else {
      const tell = (progress: Pick<DistillProgress, "collecting" | "training">) =>
        options.onProgress?.({ stage: i + 1, stages: config.stages.length, ...progress });
      await distillStage(config, stage, { teacher, student, out }, { ...options, tell });
    }
    teacher = student = model;
  }
  return teacher;
}

const SETTINGS = "settings.json";
/** All that a stage's model depends on but its teacher's weights. */
const settingsOf = (config: DistillConfig, stage: DistillStage) => ({ ...config, stages: [stage] });

/** Refuses the model of a stage that was made with other settings. */
function checkDone(config: DistillConfig, stage: DistillStage, out: string): void {
  const made = JSON.parse(readFileSync(join(out, SETTINGS), "utf8"));
  checkSameConfig({ dir: out, step: stage.steps, config: made }, settingsOf(config, stage));
}

/**
 * Collects trajectories of the first stage that is not done, beside other processes that do the same; `part` 0 ... parts-1
 * says which. Returns whether there was anything to do.
 */
export async function collectStage(
  config: DistillConfig,
  { out, threads, signal, part, parts, onProgress }: DistillRunOptions & Pick<CollectOptions, "part" | "parts">,
): Promise<boolean> {
  const done = (i: number) => existsSync(join(out, `stage-${i + 1}`, "model", "config.json"));
  const i = config.stages.findIndex((_, at) => !done(at));
  if (i < 0) return false;
  const folder = join(out, `stage-${i + 1}`);
  const teacher = await openTeacher(i === 0 ? config.teacher : join(out, `stage-${i}`, "model"), { threads });
  try {
    const tell = ({ collecting }: Pick<DistillProgress, "collecting">) =>
      onProgress?.({ stage: i + 1, stages: config.stages.length, collecting });
    await collect(await collectionsOf(config, config.stages[i], teacher, folder), { part, parts, signal }, tell);
    return true;
  } finally {
    await teacher.dispose();
  }
}

async function distillStage(
  config: DistillConfig,
  stage: DistillStage,
  { teacher: name, student, out }: { teacher: string; student: string; out: string },
  { threads, signal, every, tell }: DistillRunOptions & { tell: Tell },
): Promise<void> {
  const teacher = await openTeacher(name, { threads });
  const start = student === name ? teacher : await openTeacher(student, { threads });
  try {
    checkFit(teacher, start);
    const data = await dataOf(config, teacher.networks.config.magvit.resolution);
    const source = await trajectoriesOf(config, stage, { teacher, data, out, signal }, tell);
    const { showo } = start.networks.config;
    const weights = tensorsOf(join(start.folder, "showo.safetensors"));
    const sample = sampler(config, teacher, start, data);
    const checkpoint = await train({
      task: distillTask(config, stage, { showo, weights, teacher: teacher.hash, source, sample }),
      out: join(out, "run"),
      steps: stage.steps,
      micro: config.micro,
      seed: config.seed,
      schedule: scheduleOf(config, stage),
      optimizer: { weightDecay: config.optimizer.weightDecay, ema: config.optimizer.ema },
      every,
      resume: true,
      threads,
      spinning: false,
      signal,
      onProgress: (training) => tell({ training }),
    });
    await writeJson(join(out, SETTINGS), settingsOf(config, stage));
    await pack(config, stage, { teacher, student: start, checkpoint, out });
  } finally {
    await teacher.dispose();
    if (start !== teacher) await start.dispose();
  }
}

function scheduleOf({ optimizer: { learningRate: peak, kind, warmup } }: DistillConfig, { steps }: DistillStage) {
  return { kind, peak, warmup: Math.min(warmup, steps), ...(kind === "cosine" && { floor: peak / 20 }) };
}
