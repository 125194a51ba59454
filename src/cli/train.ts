/** fewstep train: a tokenizer and a Show-o from scenes or from your own pictures, ready for --model. */
import { type Command, Option } from "commander";
import { DOMAINS, type DomainName } from "../scenes/index.ts";
import { type Progress, readTrainConfig, type Stage, trainConfigOf, trainModel } from "../train/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";
import { timeLeft } from "./shell/time.ts";

interface Options {
  out: string;
  scenes?: DomainName;
  data?: string;
  name?: string;
  threads?: number;
  steps?: number;
  tokenizerSteps?: number;
  json?: boolean;
}

export function train(program: Command, io: Io): void {
  program
    .command("train")
    .description("train a picture tokenizer and a Show-o; killed, it goes on where it was")
    .argument("[config]", "JSON file of settings; what it leaves out is as for show-o-mini")
    .requiredOption("--out <folder>", "folder of the run; the model comes out in its subfolder model")
    .addOption(new Option("--scenes <domain>", "emoji scenes to learn from").choices(Object.keys(DOMAINS)))
    .option("--data <path>", "your pictures: a folder with cat.txt beside cat.png, a .jsonl, or a LLaVA .json")
    .option("--name <name>", "name of the model")
    .option("--steps <count>", "training steps of the transformer", number)
    .option("--tokenizer-steps <count>", "training steps of the tokenizer", number)
    .option("--threads <count>", "threads (default: all cores)", number)
    .option("--json", "progress as one JSON object a line")
    .action(async (file: string | undefined, options: Options) => {
      const given = file ? readTrainConfig(file) : trainConfigOf({});
      const { scenes, data, steps, tokenizerSteps } = options;
      const config = trainConfigOf({
        ...given,
        name: options.name ?? given.name,
        data: scenes ? { scenes } : data ? { folder: data } : given.data,
        model: { ...given.model, steps: steps ?? given.model.steps },
        tokenizer: { ...given.tokenizer, steps: tokenizerSteps ?? given.tokenizer.steps },
      });
      const folder = await trainModel(config, {
        out: options.out,
        threads: options.threads,
        spinning: false,
        signal: io.signal,
        onProgress: (stage, progress) =>
          io.err(`${options.json ? JSON.stringify({ stage, ...progress }) : line(stage, progress)}\n`),
      });
      await io.out(options.json ? `${JSON.stringify({ model: folder })}\n` : `${folder}\n`);
    });
}

/** One line: where it is, its losses, its speed, the time left. */
function line(stage: Stage, { step, steps, means, samplesPerSecond, secondsLeft }: Progress): string {
  const shown = Object.entries(means).filter(([name]) => name !== "lr");
  const losses = shown.map(([name, value]) => `${name} ${value.toFixed(3)}`).join("  ");
  return `${stage} ${step}/${steps}  ${losses}  ${samplesPerSecond.toFixed(1)} rows/s  ${timeLeft(secondsLeft)} left`;
}
