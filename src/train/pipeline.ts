/**
 * From data to a model folder: the picture tokenizer, the text vocabulary, the transformer, then everything packed.
 * Every stage can be killed and goes on where it was. START READING TRAINING HERE.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { NdArray } from "../base/index.ts";
import { readSafetensors, writeJson } from "../files/index.ts";
import { saveModel } from "../models/index.ts";
import { downsampling, type MagvitConfig } from "../models/magvit/index.ts";
import type { ShowoConfig } from "../models/showo/index.ts";
import { DOMAINS, loadAtlas } from "../scenes/index.ts";
import { tokenizerFromJson } from "../text/index.ts";
import { exportWeights } from "./checkpoint.ts";
import type { TrainConfig } from "./config.ts";
import { type Progress, type TrainOptions, train } from "./loop.ts";
import { magvitTask } from "./magvit.ts";
import { showoTask } from "./showo.ts";
import { CAPTION_QUESTION, folderSource, type Source, sceneSource } from "./source.ts";
import { slotsFor, trainVocabulary } from "./texts.ts";

export type Stage = "tokenizer" | "decoder" | "showo";

export interface PipelineOptions {
  /** Folder of the run; the model comes out in its subfolder `model`. */
  out: string;
  threads?: number;
  /** Busy-waiting between operators: faster on an idle machine, slower when cores are shared. */
  spinning?: boolean;
  signal?: AbortSignal;
  onProgress?(stage: Stage, progress: Progress): void;
  every?: TrainOptions["every"];
}

type Weights = Record<string, NdArray<"float32">>;

/** Trains what `config` says and returns the model's folder. */
export async function trainModel(config: TrainConfig, options: PipelineOptions): Promise<string> {
  const { out } = options;
  await mkdir(out, { recursive: true });
  const source = await sourceOf(config);
  const magvit = magvitConfig(config);
  const tokens = await trainTokenizer(config, magvit, source, options);
  const pictures = config.tokenizer.decoderSteps ? await trainDecoder(config, magvit, tokens, source, options) : tokens;

  const corpus = source.corpus();
  const vocabulary = join(out, "tokenizer.json");
  if (!existsSync(vocabulary)) await writeJson(vocabulary, trainVocabulary(corpus, config.vocabulary));
  const text = JSON.parse(readFileSync(vocabulary, "utf8"));
  const tokenizer = tokenizerFromJson(text, vocabulary);

  const slots = config.model.maxTextTokens ?? slotsFor(corpus, tokenizer);
  const showo = showoConfig(config, magvit, tokenizer, slots);
  const { rows, taskWeights, promptDropout, steps, learningRate, micro } = config.model;
  const training = { config: showo, rows, taskWeights, promptDropout, seed: config.seed };
  const parts = { tokenizer, magvit, magvitWeights: (name: string) => pictures[name], threads: options.threads };
  const weights = await stage("showo", options, {
    task: await showoTask(training, parts, source, { ...training, data: config.data }),
    steps,
    micro,
    schedule: { kind: "cosine", peak: learningRate, warmup: Math.min(200, steps), floor: learningRate / 100 },
    optimizer: { betas: [0.9, 0.98], ema: 0.998, weightDecay: 0.01 },
  });

  const folder = join(out, "model");
  await saveModel(folder, {
    config: {
      model: config.name,
      showo,
      magvit,
      defaults: config.defaults,
      text: { captionQuestion: CAPTION_QUESTION },
      ...(source.words && { words: [...source.words, ...CAPTION_QUESTION.match(/\w+/g)!] }),
    },
    showo: new Map(Object.entries(weights)),
    magvit: new Map(Object.entries(pictures)),
    tokenizer: text,
    card: cardOf(config, source),
  });
  return folder;
}

async function sourceOf({ data, seed, pixels }: TrainConfig): Promise<Source> {
  if ("folder" in data) return folderSource(data.folder, { seed, pixels });
  return sceneSource({ atlas: await loadAtlas(), domain: DOMAINS[data.scenes], seed, pixels });
}

function magvitConfig({ pixels, tokenizer: { bits, encoder, decoder } }: TrainConfig): MagvitConfig {
  return { model: "magvit", resolution: pixels, bits, encoder, decoder, normEps: 1e-6 };
}

function showoConfig(
  { pixels, model }: TrainConfig,
  magvit: MagvitConfig,
  text: { size: number; endOfText: number },
  maxTextTokens: number,
): ShowoConfig {
  const { hiddenSize, layers, heads, mlpSize } = model;
  const side = pixels / downsampling(magvit);
  return {
    model: "showo",
    hiddenSize,
    layers,
    heads,
    mlpSize,
    rotaryFraction: 0.5,
    ropeTheta: 10000,
    normEps: 1e-5,
    llmVocabSize: text.size,
    endOfText: text.endOfText,
    codebookSize: 2 ** magvit.bits,
    imageTokens: side * side,
    maxTextTokens,
  };
}

function trainTokenizer(
  config: TrainConfig,
  magvit: MagvitConfig,
  source: Source,
  options: PipelineOptions,
): Promise<Weights> {
  const { steps, batchSize, reconstruction, entropy, learningRate } = config.tokenizer;
  const training = { config: magvit, batchSize, reconstruction, entropy };
  return stage("tokenizer", options, {
    task: magvitTask(training, source, { ...training, data: config.data, seed: config.seed }),
    steps,
    schedule: { kind: "cosine", peak: learningRate, warmup: Math.min(100, steps), floor: learningRate / 100 },
    optimizer: { ema: 0.998, weightDecay: 0 },
  });
}

/** More training for the decoder alone: what a picture's tokens are stays as it is. */
function trainDecoder(
  config: TrainConfig,
  magvit: MagvitConfig,
  tokens: Weights,
  source: Source,
  options: PipelineOptions,
): Promise<Weights> {
  const { decoderSteps: steps, batchSize, reconstruction, entropy, learningRate } = config.tokenizer;
  const training = { config: magvit, batchSize, reconstruction, entropy };
  return stage("decoder", options, {
    task: magvitTask({ ...training, decoderOf: tokens }, source, { ...training, data: config.data, seed: config.seed }),
    steps,
    schedule: { kind: "cosine", peak: learningRate / 2, warmup: Math.min(100, steps), floor: learningRate / 100 },
    optimizer: { ema: 0.998, weightDecay: 0 },
  });
}

/** Runs one training, from its newest checkpoint if there is one, and gives the averaged weights it ends with. */
async function stage(name: Stage, options: PipelineOptions, training: Omit<TrainOptions, "out">): Promise<Weights> {
  const { out, threads, spinning, signal, every, onProgress } = options;
  const folder = join(out, name);
  const checkpoint = await train({
    ...training,
    out: folder,
    threads,
    spinning,
    signal,
    every,
    resume: true,
    onProgress: (progress) => onProgress?.(name, progress),
  });
  const file = join(folder, "weights.safetensors");
  await exportWeights(checkpoint, file);
  const weights = readSafetensors(file);
  const arrays = Object.fromEntries(weights.names.map((tensor) => [tensor, weights.float32(tensor)]));
  weights.close();
  return arrays;
}

/** A model card that says what the run knows; figures are added by who measures them. */
function cardOf({ name, data, pixels, tokenizer, model }: TrainConfig, source: Source): string {
  const pictures = (tokenizer.steps + tokenizer.decoderSteps) * tokenizer.batchSize;
  const rows = model.steps * model.micro * (model.rows.t2i + model.rows.lm + model.rows.mmu);
  return [
    `# ${name}`,
    "",
    `A Show-o of ${model.layers} layers and width ${model.hiddenSize} that draws and describes pictures of ${pixels}x${pixels} pixels.`,
    "",
    `- Data: ${"folder" in data ? "a folder of pictures with captions" : `emoji scenes, domain \`${data.scenes}\``}`,
    `- Tokenizer: ${tokenizer.bits} bits, ${pictures} pictures seen`,
    `- Transformer: ${model.steps} steps, ${rows} rows seen`,
    ...(source.words ? [`- It knows ${source.words.length} words: ${source.words.join(", ")}`] : []),
    "",
  ].join("\n");
}
