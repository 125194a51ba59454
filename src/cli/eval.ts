/** fewstep eval: measures a model on scenes it has never seen. */
import { execFileSync } from "node:child_process";
import os from "node:os";
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import { evaluateTokenizer, evaluateUnderstanding } from "../evaluate/index.ts";
import { encodePicture } from "../image/index.ts";
import { DOMAINS, type DomainName, loadAtlas } from "../scenes/index.ts";
import type { Model } from "../tasks/index.ts";
import type { Io } from "./shell/io.ts";
import { type ModelOptions, modelOptions, number, openModel } from "./shell/options.ts";
import { writeOutput } from "./shell/output.ts";
import { progressBar } from "./shell/progress.ts";

interface Options extends ModelOptions {
  scenes: DomainName;
  images: number;
  seed: number;
  decoding?: "jacobi" | "ar";
  sheet?: string;
}

export function evaluate(program: Command, io: Io): void {
  const command = program.command("eval").description("measure a model on scenes it has never seen");
  const common = (name: string, what: string, images: number) =>
    modelOptions(command.command(name))
      .description(what)
      .addOption(new Option("--scenes <domain>", "domain of the scenes").choices(Object.keys(DOMAINS)).default("easy"))
      .option("--images <count>", "how many scenes", number, images)
      .option("--seed <number>", "which stream of scenes", number, 1000);

  common("captions", "captions whose facts are all right, questions answered right", 200)
    .addOption(new Option("--decoding <way>", "how text is decoded").choices(["jacobi", "ar"]).default("jacobi"))
    .action((options: Options) =>
      measure(options, io, async (model, settings) => {
        const { facts, yesNo, oneWord, tokensPerSecond, ...more } = await evaluateUnderstanding(model, settings);
        const percent = ({ share, ci95, of }: typeof facts) =>
          `${(100 * share).toFixed(1)} % (${ci95.map((x) => (100 * x).toFixed(1)).join(" to ")}, ${of} asked)`;
        const summary = [
          `captions with all facts right  ${percent(facts)}`,
          `yes/no questions right         ${percent(yesNo)}`,
          `one-word questions right       ${percent(oneWord)}`,
          `speed                          ${tokensPerSecond.toFixed(0)} tokens/s`,
        ];
        return { result: { facts, yesNo, oneWord, tokensPerSecond, ...more }, summary };
      }),
    );

  common("tokenizer", "what the tokens of a picture keep of it", 200)
    .option("--sheet <file>", "also write originals beside their reconstructions")
    .action((options: Options) =>
      measure(options, io, async (model, settings) => {
        const { sheet, ...result } = await evaluateTokenizer(model, settings);
        if (options.sheet) await writeOutput(options.sheet, await encodePicture(sheet, "png"), io);
        const { psnr, perplexity, codebook } = result;
        return {
          result,
          summary: [`${psnr.toFixed(2)} dB, ${perplexity.toFixed(0)} of ${codebook} codes in effective use`],
        };
      }),
    );
}

type Settings = Parameters<typeof evaluateUnderstanding>[1];

async function measure(
  options: Options,
  io: Io,
  work: (model: Model, settings: Settings) => Promise<{ result: object; summary: string[] }>,
): Promise<void> {
  const { scenes, images, seed, decoding } = options;
  if (!(Number.isInteger(images) && images > 0))
    fail("bad number of images", { expected: "a whole number of at least 1", got: `${images}` });
  const model = await openModel(options, io);
  const bar = progressBar(io, "scenes");
  try {
    const onProgress = (done: number, total: number) => bar.show(done, total);
    const settings = {
      atlas: await loadAtlas(),
      domain: DOMAINS[scenes],
      images,
      seed,
      decoding,
      signal: io.signal,
      onProgress,
    };
    const { result, summary } = await work(model, settings);
    bar.clear();
    const about = { model: model.config.model, scenes, seed, machine: machine(), commit: commit() };
    await io.out(options.json ? `${JSON.stringify({ ...result, ...about })}\n` : `${summary.join("\n")}\n`);
  } finally {
    bar.clear();
    await model.dispose();
  }
}

const machine = (): string =>
  `${os.cpus()[0]?.model.trim() ?? "unknown processor"}, ${os.availableParallelism()} cores, Node ${process.version}`;

/** The commit of the working tree, where there is one. */
function commit(): string | undefined {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}
