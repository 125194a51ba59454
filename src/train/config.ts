/** The one config of a training run, from data to a model that can be loaded. Defaults are those of show-o-mini. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { fail, parseObject } from "../base/index.ts";
import { MAGVIT_PRESETS } from "../models/magvit/index.ts";
import { SHOWO_PRESETS } from "../models/showo/index.ts";
import { DOMAINS, type DomainName } from "../scenes/index.ts";

const count = z.int().min(1);
const rate = z.number().positive().max(1);
const share = z.number().min(0).max(1);
const half = z.strictObject({
  ch: count,
  chMult: z.array(count).min(1),
  numResBlocks: z.array(z.int().min(0)).min(1),
  groups: z.int().min(0),
  local: z.boolean().optional(),
  attention: z.boolean(),
});
const { encoder, decoder, bits } = MAGVIT_PRESETS.mini;
const { hiddenSize, layers, heads, mlpSize } = SHOWO_PRESETS.mini;

const schema = z.strictObject({
  /** Name of the model that comes out. */
  name: z.string().min(1).default("my-show-o"),
  data: z
    .union([
      z.strictObject({ scenes: z.enum(Object.keys(DOMAINS) as [DomainName, ...DomainName[]]) }),
      z.strictObject({ folder: z.string().min(1) }),
    ])
    .default({ scenes: "quarters" }),
  /** Side of the pictures; the token grid follows from the tokenizer's levels. */
  pixels: count.max(1024).default(64),
  seed: z.int().default(1),
  /** Pictures to tokens. */
  tokenizer: z
    .strictObject({
      bits: z.int().min(1).max(13).default(bits),
      encoder: half.default(encoder),
      decoder: half.default(decoder),
      steps: count.default(3000),
      /** Steps after that in which the tokens stay and the decoder learns on. */
      decoderSteps: z.int().min(0).default(4000),
      batchSize: count.default(8),
      learningRate: rate.default(2e-3),
      reconstruction: z.number().positive().default(10),
      entropy: z.number().min(0).default(0.1),
    })
    .prefault({}),
  /** Most ids of the text vocabulary. */
  vocabulary: count.min(300).default(512),
  /** The transformer. */
  model: z
    .strictObject({
      hiddenSize: count.default(hiddenSize),
      layers: count.default(layers),
      heads: count.default(heads),
      mlpSize: count.default(mlpSize),
      /** Text slots of a row; default: what the longest text needs. */
      maxTextTokens: z.int().min(4).max(2048).optional(),
      steps: count.default(4200),
      /** Rows of a batch: pictures to draw, plain texts, questions to answer. */
      rows: z.strictObject({ t2i: count, lm: z.int().min(0), mmu: z.int().min(0) }).default({ t2i: 13, lm: 1, mmu: 6 }),
      /** Weights of their losses. */
      taskWeights: z
        .strictObject({ t2i: z.number().min(0), lm: z.number().min(0), mmu: z.number().min(0) })
        .default({ t2i: 1, lm: 0.1, mmu: 1 }),
      promptDropout: share.default(0.1),
      learningRate: rate.default(1e-3),
      micro: count.max(64).default(1),
    })
    .prefault({}),
  /** What drawing uses unless told otherwise. */
  defaults: z.strictObject({ steps: count, guidance: z.number().min(0) }).default({ steps: 16, guidance: 1 }),
});

export type TrainConfig = z.infer<typeof schema>;
/** What may be left out when it is the default. */
export type TrainSettings = z.input<typeof schema>;

/** Fills in defaults. Errors: BAD_INPUT naming the first setting that does not hold. */
export function trainConfigOf(settings: unknown, where = "training config"): TrainConfig {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  return fail("this is not a training config", { where: [where, ...path].join(", "), got: message });
}

/** Reads a JSON file. */
export function readTrainConfig(path: string): TrainConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    return fail("the config cannot be read", { where: path, code: "NOT_FOUND", got: (cause as Error).message, cause });
  }
  return trainConfigOf(parseObject(text, "the config", path), path);
}
