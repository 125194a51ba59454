/** Trains a task from its config to its last step: batches, metrics, samples, checkpoints. Knows no model. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fail, throwIfAborted } from "../base/index.ts";
import { writeJson } from "../files/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Arrays } from "../runtime/index.ts";
import { checkSameConfig, latestCheckpoint, loadCheckpoint, type RunConfig, saveCheckpoint } from "./checkpoint.ts";
import { appendMetrics, type Metrics, rewindMetrics } from "./metrics.ts";
import { checkSchedule, learningRate, type Schedule } from "./schedule.ts";
import { createTrainer, type Objective, OPTIMIZER, type OptimizerConfig, type Trainer } from "./step.ts";

/** What is trained and on what. */
export interface TrainTask {
  readonly name: string;
  /** The resolved config of model and data, JSON values only; saved in every checkpoint. */
  readonly config: unknown;
  /** Samples in one batch, for the speed shown. */
  readonly batchSize: number;
  build(graph: Graph): Objective;
  /** Inputs of micro-batch `micro` of step `step` (0 is the first): a function of these numbers alone, so that a run that was interrupted goes on exactly. */
  batch(step: number, micro: number): Promise<Arrays> | Arrays;
  readonly weights?: Arrays;
  frozen?(name: string): boolean;
  decays?(name: string, shape: readonly number[]): boolean;
  /** Writes something to look at into `dir`. `weights` are the moving averages where they are kept. */
  sample?(weights: Arrays, step: number, dir: string): Promise<void>;
}

export interface Progress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly metrics: Metrics;
  readonly samplesPerSecond: number;
  readonly secondsLeft: number;
}

export interface TrainOptions {
  task: TrainTask;
  /** Folder for checkpoints/, samples/, metrics.jsonl and config.json. */
  out: string;
  steps: number;
  schedule: Schedule;
  optimizer?: Partial<OptimizerConfig>;
  /** Batches per step, as if they were one. */
  micro?: number;
  seed?: number;
  /** Steps between records, checkpoints and samples. */
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
  const { log = 10, save = 500, sample = save } = every;
  for (const [name, value] of Object.entries({ steps, micro, keep, log, save, sample }))
    if (!Number.isInteger(value) || value < 1)
      fail(`training option "${name}"`, { expected: "1 or more", got: `${value}` });
  checkSchedule(schedule, steps);
  const optimizer = { ...OPTIMIZER, ...options.optimizer };
  const config: RunConfig = { task: task.name, config: task.config, steps, schedule, optimizer, micro, seed };

  const root = join(out, "checkpoints");
  const record = join(out, "metrics.jsonl");
  await mkdir(root, { recursive: true });
  const from = await latestCheckpoint(root);
  if (from && !options.resume)
    fail("this folder already holds a run", { where: out, hint: "Resume it or choose another output folder." });
  if (from && !options.otherConfig) checkSameConfig(from, config);
  await rewindMetrics(record, from?.step ?? 0);
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
  try {
    if (from) loadCheckpoint(from, trainer);
    let saved = from?.dir ?? "";
    const meter = startMeter(trainer.steps, steps, task.batchSize * micro);
    while (trainer.steps < steps) {
      const step = trainer.steps;
      const batches: Arrays[] = [];
      for (let i = 0; i < micro; i++) batches.push(await task.batch(step, i));
      const result = await trainer.step(batches, learningRate(schedule, step, steps));
      meter.add({ loss: result.loss, gradNorm: result.gradNorm, ...result.metrics });

      const done = trainer.steps;
      const last = done === steps || signal?.aborted;
      if (done % log === 0 || last) {
        const progress = meter.read(done);
        await appendMetrics(record, progress.metrics);
        options.onProgress?.(progress);
      }
      if (done % save === 0 || last) saved = await saveCheckpoint(root, trainer.state(), config, keep);
      throwIfAborted(signal);
      if (task.sample && (done % sample === 0 || last)) await drawSamples(task, trainer, out);
    }
    return saved;
  } finally {
    await trainer.dispose();
  }
}

async function drawSamples(task: TrainTask, trainer: Trainer, out: string): Promise<void> {
  const dir = join(out, "samples", `step-${String(trainer.steps).padStart(8, "0")}`);
  await mkdir(dir, { recursive: true });
  await task.sample?.(trainer.ema, trainer.steps, dir);
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
      const metrics: Metrics = { step, ...means };
      return { step, steps, loss: means.loss, metrics, samplesPerSecond, secondsLeft: (steps - step) * secondsPerStep };
    },
  };
}
