/** Trains a task from its config to its last step: batches, metrics, samples, checkpoints. Knows no model. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fail, throwIfAborted } from "../base/index.ts";
import { openLog, writeJson } from "../files/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Arrays } from "../runtime/index.ts";
import {
  checkSameConfig,
  latestCheckpoint,
  loadCheckpoint,
  type RunConfig,
  saveCheckpoint,
  stepName,
} from "./checkpoint.ts";
import { drawCurves } from "./curves.ts";
import type { Weights } from "./flat.ts";
import { checkSchedule, learningRate, type Schedule } from "./schedule.ts";
import { createTrainer, type Objective, OPTIMIZER, type OptimizerConfig } from "./step.ts";

/** What is trained and on what. */
export interface TrainTask {
  readonly name: string;
  /** The resolved config of model and data, JSON values only; saved in every checkpoint. */
  readonly config: unknown;
  /** Samples in one batch, for the speed shown. */
  readonly batchSize: number;
  build(graph: Graph): Objective;
  /**
   * Inputs of micro-batch `micro` of step `step` (0 is the first): a function of these numbers alone, so that a run that
   * was interrupted goes on exactly.
   */
  batch(step: number, micro: number): Promise<Arrays> | Arrays;
  readonly weights?: Arrays;
  frozen?(name: string): boolean;
  decays?(name: string, shape: readonly number[]): boolean;
  /** Looks at the metrics of step `step` (1 is the first) and throws DIVERGED where they show that training went wrong. */
  check?(metrics: Readonly<Record<string, number>>, step: number): void;
  /** Writes something to look at into `dir`. `weights` are the moving averages where they are kept. */
  sample?(weights: Weights, step: number, dir: string): Promise<void>;
}

export interface Progress {
  readonly step: number;
  readonly steps: number;
  /** Loss, metrics, gradient norm and learning rate, as means since the last report. */
  readonly means: Readonly<Record<string, number>>;
  readonly samplesPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainOptions {
  task: TrainTask;
  /** Folder for config.json, metrics.jsonl, curves.png, checkpoints/ and samples/. */
  out: string;
  steps: number;
  schedule: Schedule;
  optimizer?: Partial<OptimizerConfig>;
  /** Batches per step, as if they were one. */
  micro?: number;
  seed?: number;
  /** Steps between reports, checkpoints, and samples with a new picture of the curves. */
  every?: { log?: number; save?: number; sample?: number };
  /** Checkpoints kept. */
  keep?: number;
  /** Go on from the newest checkpoint in `out`, if there is one. Otherwise a folder with checkpoints is refused. */
  resume?: boolean;
  /** Go on even though the checkpoint was written with other settings. */
  otherConfig?: boolean;
  threads?: number;
  spinning?: boolean;
  /** The step under way is finished and saved, then ABORTED is thrown. */
  signal?: AbortSignal;
  onProgress?(progress: Progress): void;
}

/**
 * Runs until `steps` updates are done and returns the folder of the last checkpoint.
 * Errors: DIVERGED (checkpoints stay), ABORTED, BAD_INPUT for a folder that holds another run.
 */
export async function train(options: TrainOptions): Promise<string> {
  const { task, out, steps, schedule, micro = 1, seed = 0, every = {}, keep = 2, signal } = options;
  const { log: logEvery = 10, save: saveEvery = 500, sample: sampleEvery = saveEvery } = every;
  for (const [name, value] of Object.entries({ steps, micro, keep, logEvery, saveEvery, sampleEvery }))
    if (!Number.isInteger(value) || value < 1)
      fail(`training option "${name}"`, { expected: "1 or more", got: `${value}` });
  checkSchedule(schedule, steps);
  const optimizer = { ...OPTIMIZER, ...options.optimizer };
  const config: RunConfig = { task: task.name, config: task.config, steps, schedule, optimizer, micro, seed };

  throwIfAborted(signal);
  const root = join(out, "checkpoints");
  const record = join(out, "metrics.jsonl");
  await makeFolder(root);
  const from = await latestCheckpoint(root);
  if (from && !options.resume)
    fail("this folder already holds a run", { where: out, hint: "Resume it or choose another output folder." });
  if (from && !options.otherConfig) checkSameConfig(from, config);
  await writeJson(join(out, "config.json"), config);

  const trainer = await createTrainer({
    build: (graph) => task.build(graph),
    optimizer,
    seed,
    weights: task.weights,
    frozen: task.frozen?.bind(task),
    decays: task.decays?.bind(task),
    threads: options.threads,
    spinning: options.spinning,
  });
  const log = openLog(record, { after: from?.step ?? 0 });
  try {
    if (from) loadCheckpoint(from, trainer);
    let saved = from?.dir ?? "";
    const meter = startMeter(trainer.state().step, steps, task.batchSize * micro);
    for (let step = trainer.state().step; step < steps; step++) {
      const batches: Arrays[] = [];
      for (let i = 0; i < micro; i++) batches.push(await task.batch(step, i));
      const lr = learningRate(schedule, step, steps);
      const { loss, gradNorm, metrics } = await trainer.step(batches, lr);
      meter.add({ loss, ...metrics, gradNorm, lr });

      const done = step + 1;
      task.check?.(metrics, done);
      // Asked each time: whoever hears of a step may end the run with it.
      const last = () => done === steps || signal?.aborted === true;
      if (last() || done % logEvery === 0) {
        const progress = meter.read(done);
        log.append({ step: done, ...progress.means, samplesPerSecond: progress.samplesPerSecond });
        options.onProgress?.(progress);
      }
      if (last() || done % saveEvery === 0) saved = await saveCheckpoint(root, trainer.state(), config, keep);
      throwIfAborted(signal);
      if (last() || done % sampleEvery === 0) {
        await drawCurves(record, out, task.name);
        await task.sample?.(trainer.ema, done, await makeFolder(join(out, "samples", stepName(done))));
      }
    }
    return saved;
  } finally {
    log.close();
    await trainer.dispose();
  }
}

/** A folder and those above it. Returns its path. */
async function makeFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    fail("this folder cannot be made", {
      where: path,
      got: (cause as Error).message,
      hint: "Choose a folder that can be written to.",
      code: "NO_SPACE",
      cause,
    });
  }
  return path;
}

/** Means of what each step reported since the last reading, and the speed since the start. */
function startMeter(from: number, steps: number, samplesPerStep: number) {
  const start = performance.now();
  let sums: Record<string, number> = {};
  let count = 0;
  return {
    add(values: Record<string, number>) {
      count++;
      for (const [name, value] of Object.entries(values)) sums[name] = (sums[name] ?? 0) + value;
    },
    read(step: number): Progress {
      const means = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]));
      sums = {};
      count = 0;
      const secondsPerStep = (performance.now() - start) / 1000 / (step - from);
      const samplesPerSecond = samplesPerStep / secondsPerStep;
      return { step, steps, means, samplesPerSecond, secondsLeft: (steps - step) * secondsPerStep };
    },
  };
}
