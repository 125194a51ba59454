/** fewstep distill: from a model to one that needs fewer steps, ready for --model. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  collectStage,
  DISTILL_PRESETS,
  type DistillPreset,
  type DistillProgress,
  type DistillStage,
  distillConfigOf,
  distillModel,
  readDistillSettings,
} from "../train/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";
import { timeLeft } from "./shell/time.ts";

interface Options {
  out: string;
  teacher?: string;
  preset: DistillPreset;
  name?: string;
  steps?: number[];
  segments?: number[];
  guidance?: number[];
  unguided?: number;
  pictures?: number;
  texts?: number;
  fromTeacher?: boolean;
  lora?: number;
  collect?: { part: number; parts: number };
  threads?: number;
  json?: boolean;
}

/** "4,2" to [4, 2]. */
const numbers = (text: string): number[] => text.split(",").map(number);

export function distill(program: Command, io: Io): void {
  program
    .command("distill")
    .description("distil a model into one that needs fewer steps; killed, it goes on where it was")
    .argument("[config]", "JSON file of settings; what it leaves out is as in the preset")
    .requiredOption("--out <folder>", "folder of the run; each stage leaves a model, stage-1/model and so on")
    .option("--teacher <name>", "name of an embedded model, or the folder of a model (default: show-o-mini)")
    .addOption(
      new Option("--preset <name>", "settings to start from").choices(Object.keys(DISTILL_PRESETS)).default("mini"),
    )
    .option("--name <name>", "name of the model")
    .option("--steps <counts>", "training steps of each stage, as 500,400", numbers)
    .option("--segments <counts>", "parts of a trajectory in each stage, as 4,2", numbers)
    .option("--guidance <weights>", "guidance of each stage's trajectories, as 1,0", numbers)
    .option("--unguided <steps>", "training steps of a student without guidance, before the first stage", number)
    .option("--pictures <count>", "trajectories of pictures", number)
    .option("--texts <count>", "questions whose answers are followed", number)
    .option("--from-teacher", "follow the teacher anew at every step instead of collecting first")
    .option("--lora <rank>", "train low-rank additions of this rank alone", number)
    .option(
      "--collect <part/parts>",
      "only collect trajectories, as one of several processes: 1/2 here, 2/2 there",
      partOf,
    )
    .option("--threads <count>", "threads (default: all cores)", number)
    .option("--json", "progress as one JSON object a line")
    .action(async (file: string | undefined, options: Options) => {
      const given = file ? readDistillSettings(file) : {};
      const config = distillConfigOf(settingsOf(given, options), options.preset, file ?? options.preset);
      const { out, threads, json } = options;
      const onProgress = (progress: DistillProgress) => io.err(`${json ? JSON.stringify(progress) : line(progress)}\n`);
      const run = { out, threads, signal: io.signal, onProgress };
      if (options.collect !== undefined) {
        await collectStage(config, { ...run, ...options.collect });
        return;
      }
      const model = await distillModel(config, run);
      await io.out(json ? `${JSON.stringify({ model })}\n` : `${model}\n`);
    });
}

/** Settings of a file with what the command line says over them. */
function settingsOf(given: Record<string, unknown>, options: Options): Record<string, unknown> {
  const { teacher, name, unguided, pictures, texts, fromTeacher, lora, preset } = options;
  const group = (key: string) => (given[key] ?? {}) as Record<string, unknown>;
  return {
    ...given,
    name: name ?? given.name ?? "my-turbo",
    teacher: teacher ?? given.teacher ?? "show-o-mini",
    stages: stagesOf((given.stages as DistillStage[] | undefined) ?? [...DISTILL_PRESETS[preset].stages], options),
    ...(unguided !== undefined && { unguided: { ...group("unguided"), steps: unguided } }),
    trajectories: {
      ...group("trajectories"),
      ...(pictures !== undefined && { pictures }),
      ...(texts !== undefined && { texts }),
      ...(fromTeacher && { from: "teacher" }),
    },
    ...(lora !== undefined && { lora: { alpha: 2 * lora, ...group("lora"), rank: lora } }),
  };
}

/** As many stages as the longest list; a shorter one goes on with its last number. */
function stagesOf(stages: readonly DistillStage[], { steps, segments, guidance }: Options): unknown[] {
  const lists = { steps, segments, guidance };
  const asked = Math.max(...Object.values(lists).map((list) => list?.length ?? 0));
  const count = Math.max(asked, asked > 1 ? 0 : stages.length);
  const at = <T>(list: readonly T[], i: number) => list[Math.min(i, list.length - 1)];
  return Array.from({ length: count }, (_, i) => {
    const told = Object.entries(lists).flatMap(([name, list]) => (list ? [[name, at(list, i)]] : []));
    return { ...at(stages, i), ...Object.fromEntries(told) };
  });
}

function partOf(text: string): { part: number; parts: number } {
  const [, part, parts] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (!(part >= 1 && part <= parts)) throw new InvalidArgumentError("This is not a part of several, as 1/2.");
  return { part: part - 1, parts };
}

/** One line: where it is, its losses, its speed, the time left. */
function line({ stage, stages, collecting, training }: DistillProgress): string {
  const where = stage ? `stage ${stage}/${stages}` : "without guidance";
  if (collecting) return `${where}  ${collecting.what} ${collecting.done}/${collecting.total}`;
  if (!training) return where;
  const { step, steps, means, samplesPerSecond, secondsLeft } = training;
  const shown = Object.entries(means).filter(([name]) => name !== "lr");
  const losses = shown.map(([name, value]) => `${name} ${value.toFixed(3)}`).join("  ");
  return `${where}  ${step}/${steps}  ${losses}  ${samplesPerSecond.toFixed(1)} rows/s  ${timeLeft(secondsLeft)} left`;
}
