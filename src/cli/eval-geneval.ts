/** fewstep eval geneval: draws GenEval's prompts and has the detector judge the pictures. */
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import { evaluateGeneval, type Score } from "../evaluate/index.ts";
import { loadDetector } from "../models/detector/index.ts";
import {
  DOMAINS,
  type DomainName,
  genevalPrompts,
  isWithin,
  loadAtlas,
  officialPrompts,
  parsePrompts,
  type Request,
  TASKS,
} from "../scenes/index.ts";
import { aboutModel, circumstances, interval, percent } from "./eval-about.ts";
import type { Io } from "./shell/io.ts";
import { type ModelOptions, modelOptions, number, openModel, warn } from "./shell/options.ts";
import { progressBar } from "./shell/progress.ts";

interface Options extends ModelOptions {
  scenes: DomainName;
  steps?: number;
  guidance?: number;
  topK?: number;
  temperature?: number;
  prompts?: string;
  perPrompt: number;
  seed: number;
  record?: string;
}

export function geneval(command: Command, io: Io): void {
  modelOptions(command.command("geneval"))
    .description("GenEval's six tasks on prompts never trained on, judged by a detector")
    .addOption(
      new Option("--scenes <domain>", "domain of the prompts").choices(Object.keys(DOMAINS)).default("quarters"),
    )
    .option("--steps <count>", "denoising steps (default: by the model)", number)
    .option("--guidance <weight>", "how strictly the prompt is followed (default: by the model)", number)
    .option("--top-k <count>", "draw tokens from the k most likely ones only", number)
    .option("--temperature <strength>", "noise in the order of decisions (default: by the model)", number)
    .option("--prompts <file>", "lines of task, tab, prompt (default: 553 of the domain; for full the official ones)")
    .option("--per-prompt <count>", "pictures of each prompt", number, 4)
    .option("--seed <number>", "of the first picture", number, 1000)
    .option("--record <file>", "keeps what is drawn (.jsonl); the same command goes on with it")
    .action((options: Options) => measure(options, io));
}

async function measure(options: Options, io: Io): Promise<void> {
  const { scenes, perPrompt, seed, record } = options;
  const requests = await requestsOf(options);
  const about = await aboutModel(options.model);
  const model = await openModel(options, io);
  const detector = await loadDetector();
  if (!isWithin(DOMAINS[scenes], DOMAINS[detector.domain as DomainName]))
    warn(io, [
      `the detector was trained on ${detector.domain} scenes; the ceiling says how far it can judge ${scenes} ones`,
    ]);
  const bar = progressBar(io, "prompts");
  try {
    const { defaults } = model.config;
    const { steps = defaults.steps, guidance = defaults.guidance, topK = defaults.topK } = options;
    const { temperature = defaults.temperature } = options;
    const how = { perPrompt, seed, steps, guidance, topK, temperature };
    const result = await evaluateGeneval(model, {
      ...how,
      detector,
      atlas: await loadAtlas(),
      domain: DOMAINS[scenes],
      requests,
      record,
      about,
      signal: io.signal,
      onProgress: (stage, done, total) => bar.show(stage === "pictures" ? total + done : done, 2 * total),
    });
    bar.clear();
    const config = { ...about, scenes, prompts: options.prompts ?? "default", ...how, thresholds: detector.thresholds };
    const report = { ...result, config, ...circumstances() };
    await io.out(options.json ? `${JSON.stringify(report)}\n` : `${summaryOf(result)}\n`);
  } finally {
    bar.clear();
    await detector.dispose();
    await model.dispose();
  }
}

async function requestsOf({ prompts, scenes }: Options): Promise<Request[]> {
  if (prompts === undefined) return scenes === "full" ? officialPrompts() : genevalPrompts(DOMAINS[scenes]);
  const text = await readFile(prompts, "utf8").catch((cause: Error) =>
    fail("the prompts cannot be read", { where: prompts, code: "NOT_FOUND", got: cause.message, cause }),
  );
  return parsePrompts(text, prompts);
}

function summaryOf(result: Awaited<ReturnType<typeof evaluateGeneval>>): string {
  const { ceiling, tokenizerCeiling, unscored, detectorFrechet } = result;
  const cells = (name: string, of: (score: Score) => string) =>
    [name.padEnd(14), of(result).padEnd(26), of(tokenizerCeiling).padEnd(16), of(ceiling)].join("");
  const task = (name: (typeof TASKS)[number]) =>
    cells(name, (score) => {
      const share = percent(score.tasks[name]!);
      return score === result ? `${share} (${interval(score.taskCi95[name]!)})` : share;
    });
  return [
    `${"".padEnd(14)}${"model (95 %)".padEnd(26)}${"reconstructions".padEnd(16)}drawn scenes`,
    ...TASKS.filter((name) => result.tasks[name] !== undefined).map(task),
    cells("average", (score) =>
      score === result ? `${percent(score.average)} (${interval(score.ci95)})` : percent(score.average),
    ),
    ...(detectorFrechet
      ? [
          `Fréchet distance of detector features: ${detectorFrechet.model.toFixed(3)}, ` +
            `reconstructions ${detectorFrechet.tokenizer.toFixed(3)}`,
        ]
      : []),
    `${result.images} pictures of ${result.distinctPrompts} prompts, ${result.secondsPerPicture.toFixed(2)} s each`,
    ...(unscored.length
      ? [`${unscored.length} prompts not scored, such as "${unscored[0].prompt}": ${unscored[0].reason}`]
      : []),
  ].join("\n");
}
