/** What next-scale models learn from: losses, gradients, one step of the optimiser. */
import { i64 } from "fewstep/base";
import { gradients, slice, type Tensor } from "fewstep/graph";
import { scaleOffsets } from "fewstep/models/msvq";
import { teacherForced, varParameters } from "fewstep/models/var";
import {
  createTrainer,
  distillation,
  distillationWithLabels,
  divergenceRows,
  tokenLoss,
  type VarSchedule,
  varDecays,
  varSchedule,
} from "fewstep/train";
import { z } from "zod";
import type { VarChecks } from "./checks.ts";
import { checkGraph, evaluate } from "./graphs.ts";

const params = z.object({
  label_smooth: z.number().default(0),
  grad_clip: z.number().default(2),
  betas: z.tuple([z.number(), z.number()]).default([0.9, 0.95]),
  eps: z.number().default(1e-8),
  prog_si: z.int().optional(),
  newest_scale_weight: z.number().default(1),
  schedule: z
    .object({
      sche_type: z.string(),
      peak_lr: z.number(),
      wd: z.number(),
      wd_end: z.number(),
      cur_it: z.int(),
      wp_it: z.int(),
      max_it: z.int(),
      wp0: z.number(),
      wpe: z.number(),
    })
    .optional(),
  lr: z.number().optional(),
  weight_decay: z.number().optional(),
  decayed_parameters: z.array(z.string()).optional(),
});

export const trainings: VarChecks = {
  async loss(c) {
    const labels = i64(c.get("in.labels").shape, c.numbers("in.labels"));
    await checkGraph(c, { student: c.get("in.student"), teacher: c.get("in.teacher"), labels }, (x) => {
      const hot = distillation(x.student, x.teacher, 2);
      const [gradient] = gradients(hot, [x.student]);
      return {
        "out.kd_T2": hot,
        "out.kd_T2_grad": gradient,
        "out.kd_T1": distillation(x.student, x.teacher),
        "out.kd_ce": distillationWithLabels(x.student, x.teacher, x.labels, 0.3),
        "out.kd_rows": divergenceRows(x.student, x.teacher),
      };
    });
  },

  async var_train(c, folder) {
    const p = params.parse(c.entry.params);
    const { config, weights } = folder.var(c.entry.weights.var);
    const lesson = await folder.vae(c.entry.weights.vae).programs.encode(c.input(c.entry.inputs[0]));
    const labels = c.numbers("in.label");
    const offsets = scaleOffsets(config);
    const scales = p.prog_si === undefined ? config.sides.length : p.prog_si + 1;
    const length = offsets[scales];
    const whole = offsets[config.sides.length];
    const shares = Array.from({ length }, (_, i) => (i >= offsets[scales - 1] ? p.newest_scale_weight : 1) / whole);
    const feeds = { labels: i64([labels.length], labels), ids: lesson.ids, inputs: lesson.inputs };
    const objective = (x: Record<keyof typeof feeds, Tensor>) => {
      const inputs = slice(x.inputs, 1, 0, length - offsets[1]);
      const logits = teacherForced(config, { labels: x.labels, inputs, length });
      return tokenLoss(logits, slice(x.ids, 1, 0, length), { smoothing: p.label_smooth, weights: shares });
    };
    const wanted = Object.keys(c.entry.expected).flatMap((name) => /^out\.grad\.(.+)/.exec(name)?.[1] ?? []);
    const out = await evaluate(
      feeds,
      (x) => {
        const loss = objective(x as Record<keyof typeof feeds, Tensor>);
        const { graph } = loss;
        const found = gradients(
          loss,
          wanted.map((name) => graph.params.get(name)!.tensor),
        );
        return Object.fromEntries(wanted.map((name, i) => [`out.grad.${name}`, found[i]]));
      },
      weights,
    );
    for (const [name, value] of Object.entries(out)) c.check(name, value);

    const trainer = await createTrainer({
      build: (graph) => {
        const inputs = Object.entries(feeds).map(([name, { dtype, shape }]) => [name, graph.input(name, dtype, shape)]);
        return { loss: objective(Object.fromEntries(inputs)) };
      },
      optimizer: { betas: p.betas, epsilon: p.eps, clip: p.grad_clip, weightDecay: p.weight_decay ?? 0 },
      weights: Object.fromEntries([...varParameters(config).keys()].map((name) => [name, weights(name)!])),
      decays: varDecays,
    });
    const { loss, gradNorm } = await trainer.step([feeds], p.lr ?? 0);
    c.check("out.loss", [loss]);
    c.check("out.grad_norm", [gradNorm]);
    for (const name of Object.keys(c.entry.expected)) {
      const [, param] = /^out\.after\.(.+)/.exec(name) ?? [];
      if (param) c.check(name, trainer.params[param]);
    }
    if (p.decayed_parameters) {
      const decayed = Object.entries(trainer.params).flatMap(([name, { shape }]) =>
        varDecays(name, shape) ? [name] : [],
      );
      c.expect("decayed parameters", decayed.sort(), [...p.decayed_parameters].sort());
    }
    if (p.schedule && p.lr !== undefined && p.weight_decay !== undefined) {
      const s = p.schedule;
      const now = varSchedule(
        {
          kind: s.sche_type as VarSchedule["kind"],
          peak: s.peak_lr,
          warmup: s.wp_it,
          steps: s.max_it,
          start: s.wp0,
          floor: s.wpe,
          weightDecay: s.wd,
          lastWeightDecay: s.wd_end,
        },
        s.cur_it,
      );
      c.expect("lr", Math.abs(now.lr / p.lr - 1) < 1e-12, true);
      c.expect("weight decay", Math.abs(now.weightDecay / p.weight_decay - 1) < 1e-12, true);
    }
    await trainer.dispose();
  },
};
