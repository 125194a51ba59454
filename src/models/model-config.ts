/** What `config.json` of a model folder says, checked before anything is built from it. */
import { z } from "zod";
import { fail } from "../base/index.ts";
import { downsampling, MAGVIT_PRESETS, type MagvitConfig } from "./magvit/index.ts";
import { gridSide, SHOWO_PRESETS, type ShowoConfig } from "./showo/index.ts";

const size = z.int().min(1).max(1e6);

const showo: z.ZodType<ShowoConfig> = z.strictObject({
  model: z.literal("showo"),
  hiddenSize: size,
  layers: size.max(1000),
  heads: size,
  mlpSize: size,
  rotaryFraction: z.number().min(0).max(1),
  ropeTheta: z.number().positive(),
  normEps: z.number().positive(),
  llmVocabSize: size,
  endOfText: z.int().min(0),
  codebookSize: size,
  imageTokens: size,
  maxTextTokens: size.min(4),
  cellEmbeddings: z.boolean().optional(),
});

const half = z.strictObject({
  ch: size,
  chMult: z.array(size).min(1).max(10),
  numResBlocks: z.array(z.int().min(0).max(100)),
  groups: z.int().min(0),
  local: z.boolean().optional(),
  attention: z.boolean(),
});

const magvit: z.ZodType<MagvitConfig> = z.strictObject({
  model: z.literal("magvit"),
  resolution: size.max(8192),
  bits: z.int().min(1).max(20),
  encoder: half,
  decoder: half,
  normEps: z.number().positive(),
});

const modelConfig = z.object({
  /** Name of the model. */
  model: z.string().min(1),
  showo,
  magvit,
  /** What drawing uses unless told otherwise. */
  defaults: z.object({
    steps: z.int().min(1),
    guidance: z.number().min(0),
    topK: z.int().min(1).optional(),
    temperature: z.number().min(0).optional(),
  }),
  text: z.object({
    /** Asked when no question is given. */
    captionQuestion: z.string().min(1),
    /** Longest answer in tokens; default: the text slots of a training row. */
    maxTokens: z.int().min(1).optional(),
  }),
  /** The words of the training texts, for models that know only a few. */
  words: z.array(z.string()).optional(),
});

export type ModelConfig = z.infer<typeof modelConfig>;

/** Checks a parsed `config.json`. Errors: BAD_FILE naming the first setting that does not hold. */
export function modelConfigOf(json: unknown, where: string): ModelConfig {
  const parsed = modelConfig.safeParse(json);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    return fail("this is not the configuration of a model", {
      where: path.length ? `${where}, ${path.join(".")}` : where,
      code: "BAD_FILE",
      got: message,
    });
  }
  const config = parsed.data;
  const { showo, magvit } = config;
  const holds = (rule: boolean, expected: string, got: string | number): void => {
    if (!rule)
      fail("the sizes of this model contradict each other", { where, code: "BAD_FILE", expected, got: `${got}` });
  };
  const cells = (magvit.resolution / downsampling(magvit)) ** 2;
  holds(showo.hiddenSize % showo.heads === 0, "a hiddenSize that the heads share evenly", showo.hiddenSize);
  holds(showo.endOfText < showo.llmVocabSize, "endOfText below llmVocabSize", showo.endOfText);
  holds(showo.codebookSize === 2 ** magvit.bits, `a codebook of 2^${magvit.bits} entries`, showo.codebookSize);
  holds(showo.imageTokens === cells, `as many imageTokens as the picture has cells (${cells})`, showo.imageTokens);
  for (const { chMult, numResBlocks } of [magvit.encoder, magvit.decoder])
    holds(chMult.length === numResBlocks.length, `${chMult.length} numResBlocks, one a level`, numResBlocks.length);
  holds(
    magvit.encoder.chMult.length === magvit.decoder.chMult.length,
    "an encoder and a decoder of as many levels",
    magvit.decoder.chMult.length,
  );
  gridSide(showo);
  return config;
}

/** A published `config.json` of Show-o or Show-o Turbo: sizes that it does not tell come from the presets. */
export function publishedConfigOf(json: Record<string, unknown>, where: string): ModelConfig {
  const refuse = (key: string, expected: string): never =>
    fail(`this kind of Show-o is not supported`, {
      where,
      code: "BAD_FILE",
      expected: `${key} ${expected}`,
      got: `${json[key]}`,
    });
  if (json.w_clip_vit === true) refuse("w_clip_vit", "false (the variants that read CLIP features are others)");
  const pixels = { 256: 256, 1024: 512 }[json.num_vq_tokens as 256 | 1024] ?? refuse("num_vq_tokens", "256 or 1024");
  const config = SHOWO_PRESETS[pixels === 256 ? "showo-256" : "showo-512"];
  const known = { vocab_size: 58498, llm_vocab_size: 50295, codebook_size: 8192 };
  for (const [key, value] of Object.entries(known)) if (json[key] !== value) refuse(key, `${value}`);
  return {
    model: pixels === 256 ? "showo-256" : "showo-512",
    showo: config,
    magvit: MAGVIT_PRESETS[pixels === 256 ? "magvitv2" : "magvitv2-512"],
    defaults: { steps: 16, guidance: 5 },
    text: { captionQuestion: "Please describe this image in detail.", maxTokens: 512 },
  };
}
