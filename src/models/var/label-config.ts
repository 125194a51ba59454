/** Settings of next-scale models: what var.json may hold, and whether its networks fit each other. Reads no files. */
import { z } from "zod";
import { fail } from "../../base/index.ts";
import type { MsvqConfig } from "../msvq/index.ts";
import type { VarConfig } from "./config.ts";

const size = z.int().min(1).max(1e6);
const sides = z.array(size.max(256)).min(1).max(32);
const half = z.strictObject({
  ch: size,
  chMult: z.array(size).min(1).max(10),
  numResBlocks: z.array(z.int().min(0).max(100)),
  groups: z.int().min(0),
  attention: z.boolean(),
});
const msvq: z.ZodType<MsvqConfig> = z.strictObject({
  model: z.literal("msvq"),
  encoder: half,
  decoder: half,
  normEps: z.number().positive(),
  zChannels: size,
  codebookSize: size,
  sides,
  phi: z.strictObject({ count: size.max(64), ratio: z.number().min(0).max(1) }),
});
const network: z.ZodType<VarConfig> = z.strictObject({
  model: z.literal("var"),
  width: size,
  depth: size.max(1000),
  heads: size,
  mlpSize: size,
  normEps: z.number().positive(),
  classes: size,
  qkNorm: z.boolean(),
  sharedNorm: z.boolean(),
  sides,
  codebookSize: size,
  zChannels: size,
});
/** In the folder, or in one beside it. */
const file = z
  .string()
  .regex(/^(\.\.\/[\w-]+\/)?[\w-][\w.-]*\.(safetensors|pth|onnx)$/, "not a weights file in or beside this folder");

const settings = z.strictObject({
  /** Name of the model. */
  model: z.string().min(1),
  tokenizer: z.strictObject({ file, config: msvq }),
  /** "drafter" draws alone or first; "refiner", if there is one, goes on. Others belong to pairs. */
  networks: z.record(z.string(), z.strictObject({ file, config: network })),
  /** Networks trained to share the work after so many drafted scales; `refinerGuidance` is the most that one is given. */
  pairs: z
    .record(
      z.string(),
      z.strictObject({ drafter: z.string(), refiner: z.string(), refinerGuidance: z.number().min(0).optional() }),
    )
    .default({}),
  classes: z.array(z.string().min(1)).optional(),
  defaults: z.strictObject({
    guidance: z.number().min(0),
    /** In all scales, or of each. */
    topK: z.union([z.int().min(0), z.array(z.int().min(0)).min(1)]).default(0),
    topP: z.number().min(0).max(1).default(0),
    /** Scales that the drafter decides; absent: all. */
    draftScales: z.int().min(0).optional(),
  }),
});
export type LabelConfig = z.output<typeof settings>;

/** Settings as they were read. Errors: BAD_FILE, also where sizes contradict each other. */
export function labelConfigOf(json: unknown, where: string): LabelConfig {
  const parsed = settings.safeParse(json);
  if (parsed.success) {
    checkSizes(parsed.data, where);
    return parsed.data;
  }
  const { path, message } = parsed.error.issues[0];
  return fail("these are not the settings of a next-scale model", {
    where: [where, ...path].join(", "),
    code: "BAD_FILE",
    got: message,
  });
}

/** Tokenizer, drafter and refiner must speak of the same scales, codes and classes. */
export function checkSizes({ tokenizer, networks, pairs, classes, defaults }: LabelConfig, where: string): void {
  const holds = (rule: boolean, expected: string, got: string): void => {
    if (!rule) fail("the networks of this model do not fit each other", { where, code: "BAD_FILE", expected, got });
  };
  const { sides, codebookSize, zChannels, encoder, decoder } = tokenizer.config;
  for (const { chMult, numResBlocks } of [encoder, decoder])
    holds(chMult.length === numResBlocks.length, `${chMult.length} numResBlocks`, `${numResBlocks.length}`);
  holds(networks.drafter !== undefined, "a network named drafter", Object.keys(networks).join(", "));
  const count = classes?.length ?? networks.drafter.config.classes;
  for (const [name, { config }] of Object.entries(networks)) {
    holds(config.sides.join() === sides.join(), `scales of ${sides} (the tokenizer's)`, `${config.sides} of ${name}`);
    holds(config.codebookSize === codebookSize, `${codebookSize} codes`, `${config.codebookSize} of ${name}`);
    holds(config.zChannels === zChannels, `codes of ${zChannels} numbers`, `${config.zChannels} of ${name}`);
    holds(config.classes === count, `${count} classes`, `${config.classes} of ${name}`);
    holds(config.width % config.heads === 0, "a width that the heads share evenly", `${config.width} of ${name}`);
  }
  for (const [scales, pair] of Object.entries(pairs)) {
    const n = Number(scales);
    holds(Number.isInteger(n) && n >= 1 && n < sides.length, `pairs for 1 to ${sides.length - 1} scales`, scales);
    for (const name of [pair.drafter, pair.refiner]) holds(networks[name] !== undefined, "networks of the model", name);
  }
  const { draftScales = sides.length, topK } = defaults;
  const each = typeof topK === "number" ? sides.length : topK.length;
  holds(each === sides.length, `one top-k, or one for each of ${sides.length} scales`, `${each}`);
  holds(draftScales <= sides.length, `at most ${sides.length} drafted scales`, `${draftScales}`);
}
