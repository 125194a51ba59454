/** fewstep eval: measures a model on prompts and scenes it has never seen. */
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import {
  evaluatePope,
  evaluateTokenizer,
  evaluateUnderstanding,
  POPE_MODES,
  type UnderstandingOptions,
} from "../evaluate/index.ts";
import { encodePicture } from "../image/index.ts";
import { DOMAINS, type DomainName, loadAtlas } from "../scenes/index.ts";
import type { Model } from "../tasks/index.ts";
import { aboutModel, circumstances, percent, shown } from "./eval-about.ts";
import { code } from "./eval-code.ts";
import { geneval } from "./eval-geneval.ts";
import type { Io } from "./shell/io.ts";
import { type ModelOptions, modelOptions, number, openModel } from "./shell/options.ts";
import { writeOutput } from "./shell/output.ts";
import { progressBar } from "./shell/progress.ts";

interface Options extends ModelOptions {
  scenes: DomainName;
  images: number;
  seed: number;
  decoding?: "jacobi" | "ar";
  record?: string;
  sheet?: string;
}

export function evaluate(program: Command, io: Io): void {
  const command = program.command("eval").description("measure a model on prompts and scenes it has never seen");
  geneval(command, io);
  code(command, io);
  const common = (name: string, what: string, images: number) =>
    modelOptions(command.command(name))
      .description(what)
      .addOption(
        new Option("--scenes <domain>", "domain of the scenes").choices(Object.keys(DOMAINS)).default("quarters"),
      )
      .option("--images <count>", "how many scenes", number, images)
      .option("--seed <number>", "which stream of scenes", number, 1000);

  common("captions", "captions whose facts are all right, questions answered right, speed of writing", 200)
    .addOption(new Option("--decoding <way>", "how text is decoded").choices(["jacobi", "ar"]).default("jacobi"))
    .option("--record <file>", "keeps every answer (.jsonl); the same command goes on with it")
    .action((options: Options) => measure(options, io, captions));

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

/** Plain numbers under the names of the measures; their intervals and parts under `details`. */
async function captions(model: Model, settings: UnderstandingOptions) {
  const { record, images, onProgress } = settings;
  const both = (offset: number) => (done: number) => onProgress?.(offset + done, 2 * images);
  const details = await evaluateUnderstanding(model, { ...settings, onProgress: both(0) });
  const beside = record && `${record.replace(/\.jsonl$/, "")}.pope.jsonl`;
  const pope = await evaluatePope(model, { ...settings, record: beside, onProgress: both(images) });
  const { facts, yesNo, oneWord, tokensPerSecond, autoregressive } = details;
  const identical = autoregressive?.identical;
  const result = {
    images,
    facts: facts.share,
    ci95: facts.ci95,
    cider: details.cider,
    ciderD: details.ciderD,
    yesNo: yesNo.share,
    oneWord: oneWord.share,
    pope,
    tokensPerSecond,
    tokensPerPass: details.tokensPerPass,
    slotsPerToken: details.slotsPerToken,
    // One token at a time is what is compared with.
    identicalToAutoregressive: identical ? identical.share : 1,
    autoregressiveTokensPerSecond: autoregressive?.tokensPerSecond ?? tokensPerSecond,
    details,
  };
  const summary = [
    `captions with all facts right  ${shown(facts)}`,
    `yes/no questions right         ${shown(yesNo)}`,
    `one-word questions right       ${shown(oneWord)}`,
    ...POPE_MODES.map(
      (mode) => `POPE, ${mode}`.padEnd(31) + `${shown(pope[mode].accuracy)}, F1 ${percent(pope[mode].f1)}`,
    ),
    ...(details.cider === undefined
      ? []
      : [`CIDEr, CIDEr-D                 ${details.cider.toFixed(2)}, ${details.ciderD!.toFixed(2)}`]),
    `speed                          ${tokensPerSecond.toFixed(0)} tokens/s, ${details.tokensPerPass.toFixed(2)} a pass`,
    ...(autoregressive
      ? [
          `token by token                 ${autoregressive.tokensPerSecond.toFixed(0)} tokens/s, the same text: ${shown(autoregressive.identical)}`,
        ]
      : []),
  ];
  return { result, summary };
}

async function measure(
  options: Options,
  io: Io,
  work: (model: Model, settings: UnderstandingOptions) => Promise<{ result: object; summary: string[] }>,
): Promise<void> {
  const { scenes, images, seed, decoding, record } = options;
  if (!(Number.isInteger(images) && images > 0))
    fail("bad number of images", { expected: "a whole number of at least 1", got: `${images}` });
  const about = await aboutModel(options.model);
  const model = await openModel(options, io);
  const bar = progressBar(io, "scenes");
  try {
    const onProgress = (done: number, total: number) => bar.show(done, total);
    const { result, summary } = await work(model, {
      atlas: await loadAtlas(),
      domain: DOMAINS[scenes],
      images,
      seed,
      decoding,
      record,
      about: { ...about, scenes },
      signal: io.signal,
      onProgress,
    });
    bar.clear();
    const report = { ...result, ...about, scenes, seed, decoding, ...circumstances() };
    await io.out(options.json ? `${JSON.stringify(report)}\n` : `${summary.join("\n")}\n`);
  } finally {
    bar.clear();
    await model.dispose();
  }
}
