/**
 * Settings of a distillation, and the table of presets: what the paper says, what its published code does (they differ,
 * Show-o spec section 11), and what suits small models. Knows no files of models.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { fail, parseObject } from "../base/index.ts";
import { DOMAINS, type DomainName } from "../scenes/index.ts";

const count = z.int().min(1);
const weight = z.number().min(0);

const stage = z.strictObject({
  /** Steps of the teacher's trajectories. */
  passes: count.max(255),
  /** Guidance they are drawn with. */
  guidance: weight,
  /** Noise in the order of their decisions, where `noises` asks for any (default 1); without guidance a weak teacher needs more. */
  temperature: weight.optional(),
  /** Parts that picture trajectories are cut into; they divide the passes. */
  segments: count,
  /** Parts that each round of a text is cut into. */
  textSegments: count,
  /** Updates of the student. */
  steps: count,
  /**
   * Learns states of the trajectories as pictures, beside fresh ones and texts as `unguided` says: the end of a trajectory
   * at once, guidance of the very first teacher taken off before it is compared. Small models, which forget guidance
   * by consistency (docs/LOG.md), come to fewer steps so. Segments have no say.
   */
  followed: z
    .strictObject({
      /** Of the pictures of a batch, so many are states. */
      rows: count,
      /** Before which steps of a trajectory; a step that is named twice is taken twice as often. */
      steps: z.array(z.int().min(0)).min(1),
      /** Who draws the trajectories: the student that the stage starts from (default), or the very first teacher. */
      by: z.enum(["student", "teacher"]).default("student"),
    })
    .optional(),
});

const schema = z.strictObject({
  /** Name of the model that comes out. */
  name: z.string().min(1),
  /** Name or folder of the first stage's teacher; the model of each stage teaches the next one. */
  teacher: z.string().min(1),
  /** Name or folder of the model that the first student starts from; default: the teacher. */
  student: z.string().min(1).optional(),
  data: z
    .union([
      z.strictObject({ scenes: z.enum(Object.keys(DOMAINS) as [DomainName, ...DomainName[]]) }),
      z.strictObject({ folder: z.string().min(1) }),
    ])
    .default({ scenes: "quarters" }),
  seed: z.int().default(1),
  /**
   * First of all a student learns, on pictures of the data, to draw without guidance what the teacher draws with it. It then
   * teaches the first stage and starts it. 0 steps leave it out.
   */
  unguided: z
    .strictObject({
      guidance: weight,
      steps: z.int().min(0),
      learningRate: z.number().positive().max(1),
      /** About each picture that is talked about. */
      dialogues: count.default(1),
      /** Share of dialogues whose answers are learnt behind guesses, for several tokens a pass. */
      guesses: z.number().min(0).max(1).default(0),
      /** Weight of the teacher beside the pictures themselves. */
      told: weight.default(1),
      taskWeights: z.strictObject({ t2i: weight, lm: weight, mmu: weight }).default({ t2i: 1, lm: 0.1, mmu: 1 }),
    })
    .optional(),
  stages: z.array(stage).min(1),
  trajectories: z
    .strictObject({
      /** Collected ahead into files, or anew for every step. */
      from: z.enum(["files", "teacher"]).default("files"),
      /** Prompts to draw and questions to answer. */
      pictures: count.default(1200),
      texts: count.default(1000),
      /**
       * Pictures are drawn greedily (0, as published), or with the noise of so many seeds, prompt after prompt. With one,
       * the picture follows from the prompt as it does greedily, but a weak teacher leaves fewer of its objects out.
       */
      noises: z.int().min(0).default(0),
      /** With noises: tokens are drawn from so many of the likeliest; with 1 the noise decides the order alone. Default: all. */
      topK: count.optional(),
      /** Leaves out pictures that the teacher itself describes otherwise than they were asked for. Scenes only. */
      verified: z.boolean().default(false),
      /**
       * Draws a picture that the teacher describes otherwise than it was asked for again with other noise, so many times at
       * most. The first that is right takes its place; if none is, the first of all stays, so that no prompt is left out.
       */
      redraws: z.int().min(0).max(64).default(0),
      /**
       * Pictures are drawn from prompts in which these words are others, and learnt from the prompts as they are: what a
       * prompt leaves open is decided where the teacher draws best. Verified by what they were drawn from.
       */
      rewrites: z.array(z.strictObject({ from: z.string().min(1), to: z.string() })).default([]),
      /** Ids kept of each of the teacher's distributions. */
      labels: count.default(24),
      /** Tokens of a Jacobi round. */
      block: count.default(16),
      /** Longest answer; default: what the question leaves of a training row. */
      answerTokens: count.optional(),
      /** Leaves out pictures of ten equal tokens in a row from what is described, as the published code does. */
      skipsRepetition: z.boolean().default(false),
    })
    .prefault({}),
  /** Rows of a batch: pictures, texts about pictures, plain texts. */
  rows: z.strictObject({ image: count, text: count, lm: count }),
  /** Points of each text in a batch; they share its picture. */
  textPoints: count.default(1),
  micro: count.max(64).default(1),
  weights: z.strictObject({
    imageConsistency: weight,
    imageRegularisation: weight,
    textRegularisation: weight,
    text: weight,
    lm: weight,
  }),
  /** Cells on which a student agrees with itself: see SegmentOptions. */
  consistency: z.enum(["end", "current"]),
  /** Which ids of a text are learnt as they stand: its answer, question and answer, or all behind so many. */
  learnt: z.union([z.enum(["answer", "dialogue"]), count]),
  optimizer: z.strictObject({
    learningRate: z.number().positive().max(1),
    kind: z.enum(["constant", "cosine"]),
    warmup: z.int().min(0).default(0),
    weightDecay: weight,
    /** Decay of the average that is kept of the weights; 0 keeps none. */
    ema: z.number().min(0).max(1),
  }),
  /** Trains low-rank additions to these layers alone. */
  lora: z
    .strictObject({
      rank: count,
      alpha: z.number().positive(),
      layers: z.array(z.string()).min(1).default(["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]),
    })
    .optional(),
  /** Least variety of a student's tokens, as a share of its labels'; below it, training has collapsed. */
  leastDiversity: weight.default(0.2),
  /** What drawing with the model uses unless told otherwise. */
  defaults: z
    .strictObject({ steps: count, guidance: weight, topK: count.optional(), temperature: weight.optional() })
    .default({ steps: 4, guidance: 0 }),
});

export type DistillConfig = z.infer<typeof schema>;
/** What may be left out when it is the default. */
export type DistillOptions = z.input<typeof schema>;
export type DistillStage = DistillConfig["stages"][number];

type Preset = Omit<DistillOptions, "name" | "teacher">;

/** AdamW on everything at a constant rate, one triple a step, weights of the published code. */
const published = {
  rows: { image: 1, text: 1, lm: 1 },
  weights: { imageConsistency: 1, imageRegularisation: 1, textRegularisation: 10, text: 0.5, lm: 0.1 },
  optimizer: { learningRate: 1e-5, kind: "constant", weightDecay: 0.01, ema: 0 },
  trajectories: { from: "teacher", labels: 8192, answerTokens: 512 },
} satisfies Partial<Preset>;
const paper = { ...published, consistency: "current", learnt: "answer" } satisfies Partial<Preset>;
const reference = {
  ...published,
  consistency: "end",
  trajectories: { ...published.trajectories, skipsRepetition: true },
} satisfies Partial<Preset>;
/** The published code stops after so many steps at the latest; the paper gives hours. */
const steps = 500_000;

export const DISTILL_PRESETS = {
  "paper-256": {
    ...paper,
    stages: [
      { passes: 16, guidance: 10, segments: 4, textSegments: 4, steps },
      { passes: 16, guidance: 1.5, segments: 2, textSegments: 2, steps },
    ],
    defaults: { steps: 4, guidance: 0, topK: 200 },
  },
  "paper-512": {
    ...paper,
    stages: [
      { passes: 32, guidance: 15, segments: 8, textSegments: 8, steps },
      { passes: 16, guidance: 1.75, segments: 4, textSegments: 4, steps },
    ],
    defaults: { steps: 4, guidance: 0, topK: 500 },
  },
  "reference-256": {
    ...reference,
    stages: [{ passes: 16, guidance: 1.75, segments: 1, textSegments: 1, steps }],
    weights: { ...published.weights, imageConsistency: 0.05 },
    learnt: "dialogue",
    defaults: { steps: 4, guidance: 0, topK: 200 },
  },
  "reference-512": {
    ...reference,
    stages: [{ passes: 32, guidance: 10, segments: 8, textSegments: 4, steps }],
    weights: { ...published.weights, imageConsistency: 0 },
    // 77 + 4, which was right for another picture length: most of the picture is learnt as text.
    learnt: 81,
    defaults: { steps: 4, guidance: 0, topK: 500 },
  },
  /** For models of a few million parameters: batches, a higher rate and averaged weights. */
  mini: {
    unguided: { guidance: 1, steps: 1500, learningRate: 3e-4, dialogues: 2, taskWeights: { t2i: 1, lm: 0.1, mmu: 2 } },
    stages: [
      { passes: 16, guidance: 0, segments: 4, textSegments: 2, steps: 500 },
      { passes: 16, guidance: 0, segments: 2, textSegments: 1, steps: 400 },
    ],
    trajectories: { noises: 1, topK: 1 },
    rows: { image: 16, text: 4, lm: 1 },
    textPoints: 4,
    weights: { imageConsistency: 0.5, imageRegularisation: 1, textRegularisation: 2, text: 0.5, lm: 0.1 },
    consistency: "end",
    learnt: "answer",
    optimizer: { learningRate: 3e-4, kind: "cosine", warmup: 20, weightDecay: 0.01, ema: 0.99 },
    defaults: { steps: 4, guidance: 0, topK: 1 },
  },
} as const satisfies Record<string, Preset>;

export type DistillPreset = keyof typeof DISTILL_PRESETS;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `above` where it says something, `below` elsewhere; groups of settings are joined, lists are replaced. */
function over(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) return above === undefined ? below : above;
  const names = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries([...names].map((name) => [name, over(below[name], above[name])]));
}

/** Settings over those of a preset. Errors: BAD_INPUT naming the first setting that does not hold. */
export function distillConfigOf(
  settings: unknown,
  preset: DistillPreset = "mini",
  where = "distillation",
): DistillConfig {
  const parsed = schema.safeParse(over(DISTILL_PRESETS[preset], settings));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    return fail("these are not the settings of a distillation", { where: [where, ...path].join(", "), got: message });
  }
  for (const [i, { passes, segments }] of parsed.data.stages.entries())
    if (passes % segments !== 0)
      fail("segments must divide the steps", {
        where: `${where}, stages, ${i}`,
        expected: `a divisor of ${passes}`,
        got: `${segments}`,
      });
  for (const [i, { passes, followed }] of parsed.data.stages.entries()) {
    if (!followed) continue;
    const at = (name: string) => ({ where: `${where}, stages, ${i}, followed${name}` });
    const { unguided, rows, trajectories } = parsed.data;
    if (!unguided)
      fail("what is followed is learnt as `unguided` says", { ...at(""), expected: "settings of `unguided`" });
    if (trajectories.from !== "files")
      fail("what is followed is collected ahead", { ...at(""), expected: 'trajectories from "files"' });
    if (followed.rows > rows.image)
      fail("too many rows are states", { ...at(", rows"), expected: `at most ${rows.image}`, got: `${followed.rows}` });
    const beyond = followed.steps.find((step) => step >= passes);
    if (beyond !== undefined)
      fail("no such step", { ...at(", steps"), expected: `0 to ${passes - 1}`, got: `${beyond}` });
  }
  return parsed.data;
}

/** Reads settings from a JSON file. */
export function readDistillSettings(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    return fail("the settings cannot be read", {
      where: path,
      code: "NOT_FOUND",
      got: (cause as Error).message,
      cause,
    });
  }
  return parseObject(text, "the config", path);
}
