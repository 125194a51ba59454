/** Masking for training and the losses of pretraining. */
import { type ScheduleName, schedule as scheduleNamed } from "fewstep/decode";
import { Graph } from "fewstep/graph";
import { imageIds, type TrainingRow, vocabularyOf } from "fewstep/models/showo";
import { compile } from "fewstep/runtime";
import { maskForTraining, type PretrainTask, pretrainFeeds, pretrainLosses } from "fewstep/train";
import { z } from "zod";
import type { Checks } from "../checks.ts";
import { codesIn } from "../ids.ts";

export const training: Checks = {
  train_masking(c, { config }) {
    const { min_masking_rate, schedule } = c.params({ min_masking_rate: z.number(), schedule: z.string() });
    const gamma = scheduleNamed(schedule as ScheduleName);
    const times = c.numbers("timestep_uniforms");
    const uniforms = c.rows("order_uniforms");
    const { image } = vocabularyOf(config);
    const masked = codesIn(config, c.rows("image_ids")).map((codes, b) =>
      maskForTraining(codes, times[b], uniforms[b], (t) => Math.max(gamma(t), min_masking_rate)),
    );
    c.check(
      "masked_ids",
      masked.flatMap(({ ids }) => imageIds(config, ids)),
    );
    c.check(
      "labels",
      masked.flatMap(({ labels }) => Array.from(labels, (code) => (code < 0 ? code : code + image))),
    );
    c.check(
      "mask_prob",
      masked.map(({ ratio }) => ratio),
    );
  },

  async train_losses(c, { config, weights }) {
    const tasks = z.object({ t2i: z.number(), lm: z.number(), mmu: z.number() });
    const params = c.params({
      batch_size_t2i: z.int(),
      batch_size_lm: z.int(),
      batch_size_mmu: z.int(),
      max_seq_length: z.literal(config.maxTextTokens),
      coefficients: tasks,
    });
    const rows = { t2i: params.batch_size_t2i, lm: params.batch_size_lm, mmu: params.batch_size_mmu };
    const labels = c.rows("labels");
    const all = c.rows("input_ids").map((ids, b): TrainingRow => ({ ids, labels: labels[b] }));
    const feeds = pretrainFeeds(config, {
      t2i: all.slice(0, rows.t2i),
      lm: all.slice(rows.t2i, rows.t2i + rows.lm),
      mmu: all.slice(rows.t2i + rows.lm),
    });
    c.check(
      "mask_allowed",
      Array.from(feeds.bias.data, (x) => x === 0),
    );

    const graph = new Graph();
    const losses = pretrainLosses(graph, config, { rows, taskWeights: params.coefficients });
    for (const task of Object.keys(rows) as PretrainTask[]) graph.output(`loss_${task}`, losses.tasks[task]!);
    graph.output("loss_total", losses.total);
    const program = await compile(graph, { weights: weights("teacher") });
    const out = await program.run(feeds);
    for (const name of program.outputs) c.check(name, out[name].data as Float32Array);
    await program.dispose();
  },
};
