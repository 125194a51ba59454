/** One step of consistency distillation: trajectories, labels, losses, gradients, the update. */
import {
  argmax,
  blank,
  type Canvas,
  collect,
  iterates,
  jacobiRound,
  probabilities,
  segmentEnd,
  UNDECIDED,
} from "fewstep/decode";
import { Graph, gradients, type Tensor } from "fewstep/graph";
import { showoParameters } from "fewstep/models";
import {
  imagePredictor,
  type ShowoPrograms,
  textPredictor,
  textRow,
  textToImageIds,
  vocabularyOf,
} from "fewstep/models/showo";
import { type Arrays, compile } from "fewstep/runtime";
import {
  comparedPositions,
  createTrainer,
  type DistillBatch,
  type DistillLosses,
  type DistillSettings,
  distillFeeds,
  distillLosses,
  imagePair,
  imageTrajectory,
  textLabels,
  textPair,
} from "fewstep/train";
import { z } from "zod";
import { type Case, cut } from "../case.ts";
import type { Checks } from "../checks.ts";
import type { Folder } from "../folder.ts";
import { rowsOf } from "../ids.ts";

const settings = {
  prompts: z.array(z.string()),
  steps: z.int(),
  segments: z.int(),
  step: z.int(),
  guidance_scale: z.number(),
  image_consistency_weight: z.number(),
  lm_weight: z.number(),
  mmu_weight: z.number(),
  ar_weight: z.number(),
  text_segments: z.int(),
  text_pick: z.int(),
  text_segment_end: z.int(),
  ar_ignore_len: z.int(),
  lm_texts: z.array(z.string()),
  adamw: z.object({
    lr: z.number(),
    beta1: z.number(),
    beta2: z.number(),
    weight_decay: z.number(),
    eps: z.number(),
    clip: z.number(),
  }),
};

/** The teacher's pictures, what the student learns from one step of them, and the rows that it sees. */
async function checkImages(c: Case, { config, tokenizer, teacher, student }: Folder): Promise<DistillBatch["image"]> {
  const { prompts: texts, steps: passes, segments, step, guidance_scale } = c.params(settings);
  const prompts = texts.map(tokenizer.encode);
  const rows = (canvas: Canvas, unasked = false) =>
    rowsOf(canvas).flatMap((codes, b) => textToImageIds(config, unasked ? [] : prompts[b], codes));
  const start = blank(prompts.length, config.imageTokens);
  c.check("input_ids", rows(start));
  c.check("uncond_input_ids", rows(start, true));

  const predictor = (programs: ShowoPrograms, guidance: number) => imagePredictor(programs, { prompts, guidance });
  const trajectory = async () => imageTrajectory(await predictor(teacher, guidance_scale), start, { passes });
  const run = await collect(await trajectory());
  const states = [...run.map(({ seen }) => seen), run.at(-1)!.remasked];
  const { mask } = vocabularyOf(config);
  c.check(
    "trajectory_ids",
    states.flatMap(({ ids_BL }) => Array.from(ids_BL, (id) => (id === UNDECIDED ? mask : id))),
  );
  const distributions = run.flatMap(({ logits_BTV }) =>
    cut(Array.from(probabilities(logits_BTV, config.codebookSize)), config.codebookSize),
  );
  c.check(
    "trajectory_probs",
    distributions.map((p) => Math.max(...p)),
  );

  const pair = async (since?: number) =>
    imagePair(await trajectory(), await predictor(student, 0), { passes, segments, step, since });
  const whole = await pair(0);
  c.check("input_ids_t", rows(whole.from));
  c.check("unknown_at_t", openCells(whole.from));
  c.check("unknown_at_segment_end", openCells(whole.to));
  c.check("teacher_label_probs", whole.teacher_BLV);
  c.check("student_label_probs", whole.student_BLV);
  // The losses get the labels that training records: those of cells that are still open at the step.
  return pair();
}

const openCells = ({ ids_BL }: Canvas) => Array.from(ids_BL, (id) => id === UNDECIDED);

/** The teacher's Jacobi iterates behind a picture and a question, and one point of them to learn from. */
async function checkTexts(c: Case, { config, teacher }: Folder): Promise<DistillBatch["texts"]> {
  const { text_segments: segments, text_pick: index, text_segment_end, ar_ignore_len } = c.params(settings);
  const [prompt] = c.rows("mmu_prompt_ids");
  const guess = c.numbers("text_init_tokens");
  const canvas = blank(1, guess.length);
  canvas.ids_BL.set(guess);
  const model = await textPredictor(teacher, { prompt, slots: guess.length, columns: "all" });
  const points = iterates(
    await collect(jacobiRound(model, canvas, { start: 0, end: guess.length }, { sample: argmax })),
  );
  c.check(
    "text_trajectory",
    points.flatMap((ids) => [...prompt, ...ids]),
  );
  c.expect("text_segment_end", segmentEnd(index, points.length, segments, "text"), text_segment_end);
  const pair = textPair(prompt, points, { segments, index });
  c.check(
    "text_loss_mask_excluded",
    comparedPositions(pair, vocabularyOf(config).pad).map((compared) => !compared),
  );
  c.check("ar_labels", textLabels(pair.last, ar_ignore_len));
  return [pair];
}

/** Recorded names of the losses. */
const LOSSES = {
  loss_image_consistency: "imageConsistency",
  loss_image_regularisation: "imageRegularisation",
  loss_image_total: "image",
  loss_text_consistency: "textConsistency",
  loss_text_ar_unweighted: "textRegularisation",
  loss_mmu_total: "text",
  loss_lm: "lm",
  loss_total: "total",
} as const satisfies Record<string, keyof DistillLosses>;

/** Recorded names of what is differentiated: `grad_NAME__PARAMETER`. */
const GRADIENTS: Readonly<Record<string, keyof DistillLosses>> = {
  grad_total: "total",
  grad_image_consistency: "imageConsistency",
  grad_image_regularisation: "imageRegularisation",
  grad_mmu: "text",
  grad_lm: "lm",
};

const parameterIn = (field: string) => field.slice(field.indexOf("__") + 2);

/** Losses and gradients of a batch at the student's weights. */
async function checkGradients(c: Case, folder: Folder, feeds: Arrays, distillation: DistillSettings): Promise<void> {
  const graph = new Graph();
  const losses = distillLosses(graph, folder.config, distillation);
  for (const [field, loss] of Object.entries(LOSSES)) graph.output(field, losses[loss]);
  for (const [term, loss] of Object.entries(GRADIENTS)) {
    const fields = c.fields(`${term}__`);
    const wanted = fields.map((field): Tensor => graph.params.get(parameterIn(field))!.tensor);
    for (const [i, gradient] of gradients(losses[loss], wanted).entries()) graph.output(fields[i], gradient);
  }
  const program = await compile(graph, { weights: folder.weights("student") });
  const out = await program.run(feeds);
  for (const field of program.outputs) c.check(field, out[field]);
  await program.dispose();
}

/** One clipped update by the trainer. */
async function checkUpdate(c: Case, folder: Folder, feeds: Arrays, distillation: DistillSettings): Promise<void> {
  const { adamw } = c.params(settings);
  const stored = folder.weights("student");
  const before = Object.fromEntries([...showoParameters(folder.config).keys()].map((name) => [name, stored(name)!]));
  const trainer = await createTrainer({
    build: (graph) => ({ loss: distillLosses(graph, folder.config, distillation).total }),
    optimizer: {
      betas: [adamw.beta1, adamw.beta2],
      epsilon: adamw.eps,
      weightDecay: adamw.weight_decay,
      clip: adamw.clip,
    },
    decays: () => true,
    weights: before,
  });
  const { gradNorm } = await trainer.step([feeds], adamw.lr);
  c.check("grad_norm", [gradNorm]);
  for (const field of c.fields("adamw_step_delta__")) {
    const old = before[parameterIn(field)].data as Float32Array;
    c.check(
      field,
      trainer.params[parameterIn(field)].data.map((x, i) => x - old[i]),
    );
  }
  await trainer.dispose();
}

export const distill: Checks = {
  async distill(c, folder) {
    const { config, tokenizer } = folder;
    const params = c.params(settings);
    const image = await checkImages(c, folder);
    const texts = await checkTexts(c, folder);
    const lm = params.lm_texts.map((text) => textRow(config, tokenizer.encode(text)));
    c.check(
      "lm_input_ids",
      lm.flatMap(({ ids }) => ids),
    );
    c.check(
      "lm_labels",
      lm.flatMap(({ labels }) => labels),
    );

    const prompts = params.prompts.map(tokenizer.encode);
    const distillation: DistillSettings = {
      rows: { image: prompts.length, text: texts.length, lm: lm.length },
      textLength: texts[0].from.length,
      textIgnored: params.ar_ignore_len,
      weights: {
        imageConsistency: params.image_consistency_weight,
        textRegularisation: params.ar_weight,
        text: params.mmu_weight,
        lm: params.lm_weight,
      },
    };
    const feeds = distillFeeds(config, distillation, { prompts, image, texts, lm });
    await checkGradients(c, folder, feeds, distillation);
    await checkUpdate(c, folder, feeds, distillation);
  },
};
