/** Drawing scale by scale: filters, forward passes, sampling, collaborative decoding, editing. */
import { f32, i64, type NdArray } from "fewstep/base";
import {
  blank,
  decodeScales,
  handOver,
  keepLikely,
  likely,
  type Predictor,
  probabilities,
  squareScales,
} from "fewstep/decode";
import { type Blend, featureMaps, resamplePlane, scaleOffsets, tokenCount } from "fewstep/models/msvq";
import { boxMask, keepMaps, keptTokens, type Smooth, teacherForced, varPredictor } from "fewstep/models/var";
import { z } from "zod";
import type { VarChecks } from "./checks.ts";
import type { VarCase, VarFolder } from "./folder.ts";
import { evaluate, item, pool4 } from "./graphs.ts";

const drawing = z.object({
  cfg: z.number(),
  top_k: z.int(),
  top_p: z.number().default(0),
  temperature: z.number().default(1),
  draft_steps: z.int().optional(),
  label_argument: z.literal(-1).optional(),
  mask: z
    .object({ y0: z.number(), x0: z.number(), y1: z.number(), x1: z.number(), inpainting: z.boolean() })
    .optional(),
});

interface How {
  smooth?: Omit<Smooth, "topK" | "topP">;
  blend?: Blend;
  /** Ids that are kept, row by row; -1 where they are drawn. */
  known?: Int32Array;
}

/** Draws as users do, and checks all that is recorded of it. */
async function draw(c: VarCase, folder: VarFolder, { smooth, blend, known }: How = {}): Promise<void> {
  const params = drawing.parse(c.entry.params);
  const { programs: tokenizer, config } = folder.vae(c.entry.weights.vae);
  const { sides } = config;
  const drafter = folder.var(c.entry.weights.var ?? c.entry.weights.drafter);
  const labels = c.numbers("in.label").map((label) => (params.label_argument === -1 ? drafter.config.classes : label));
  if (params.label_argument === -1) c.expect("in.label", labels, c.numbers("in.label"));
  const maps = featureMaps(tokenizer, labels.length, blend);
  const filter = { topK: params.top_k, topP: params.top_p };
  const request = { labels, maps, guidance: params.cfg, smooth: smooth && { ...smooth, ...filter } };
  const drafts = params.draft_steps;
  let predictor: Predictor;
  if (drafts === undefined) predictor = await varPredictor(drafter.programs, request);
  else {
    const refiner = folder.var(c.entry.weights.refiner);
    predictor = handOver(
      await varPredictor(drafter.programs, { ...request, scales: drafts }),
      await varPredictor(refiner.programs, request),
      ({ start }) => start >= scaleOffsets(config)[drafts],
    );
  }
  const canvas = blank(labels.length, tokenCount(config));
  if (known) canvas.ids_BL.set(known);
  const sample = likely({ ...filter, temperature: params.temperature, noise: () => 0.5 });
  const logits = f32([labels.length, tokenCount(config), config.codebookSize]);
  const ids = new Int32Array(canvas.ids_BL.length);
  const fHats: NdArray<"float32">[] = [];
  let last = canvas;
  for await (const state of decodeScales(predictor, canvas, { scales: squareScales(sides), sample })) {
    const { start, end } = state.span;
    const own = (end - start) * config.codebookSize;
    for (const row of labels.keys()) {
      const from = (row * tokenCount(config) + start) * config.codebookSize;
      logits.data.set(state.logits_BTV.subarray(row * own, (row + 1) * own), from);
      // What would have been drawn, also where the picture's id is kept.
      for (let slot = start; slot < end; slot++) {
        const at = (row * tokenCount(config) + slot) * config.codebookSize;
        ids[row * tokenCount(config) + slot] = sample(
          logits.data.subarray(at, at + config.codebookSize),
          state.pass,
          row,
          slot,
        );
      }
    }
    fHats.push(await maps.after(state.canvas, state.pass));
    last = state.canvas;
  }
  if (!smooth && !known) c.expect("the canvas holds what was drawn", [...last.ids_BL], [...ids]);
  const recorded = (name: string) => name in c.entry.expected;
  if (recorded("out.idx")) c.check("out.idx", ids);
  c.check("out.logits", logits);
  c.check(
    "out.f_hat",
    fHats.flatMap(({ data }) => [...data]),
  );
  const pixels = await tokenizer.decode(fHats[fHats.length - 1]);
  const image = f32(
    pixels.shape,
    pixels.data.map((x) => (x + 1) / 2),
  );
  if (recorded("out.image0")) c.check("out.image0", item(image, 0));
  if (recorded("out.image0_pool4")) c.check("out.image0_pool4", pool4(item(image, 0)));
  if (recorded("out.image_mean")) {
    const plane = image.shape[2] * image.shape[3];
    c.check(
      "out.image_mean",
      Array.from(
        { length: image.data.length / plane },
        (_, i) => image.data.subarray(i * plane, (i + 1) * plane).reduce((a, b) => a + b, 0) / plane,
      ),
    );
  }
  if (drafts === undefined) return;
  if (recorded("out.f_hat_draft")) c.check("out.f_hat_draft", fHats[drafts - 1]);
  if (recorded("out.token_hub")) {
    const handed: number[] = [];
    const inputs = [];
    for (let scale = 1; scale <= drafts; scale++) inputs.push(await maps.input(last, scale));
    for (const row of labels.keys()) for (const one of inputs) handed.push(...item(one, row).data);
    c.check("out.token_hub", handed);
  }
}

export const drawings: VarChecks = {
  async sampler(c) {
    const settings = z
      .array(
        z.object({
          output: z.string(),
          logits: z.string(),
          top_k: z.int(),
          top_p: z.number(),
          temperature: z.number(),
          kept_per_row: z.array(z.int()),
        }),
      )
      .parse(c.entry.params);
    for (const { output, logits, top_k, top_p, temperature, kept_per_row } of settings) {
      const { data, shape } = c.get(logits);
      const vocab = shape[shape.length - 1];
      const kept = Array.from({ length: data.length / vocab }, (_, i) =>
        keepLikely(data.subarray(i * vocab, (i + 1) * vocab), { topK: top_k, topP: top_p }),
      );
      c.expect(
        `${output} kept`,
        kept.map((ids) => ids.length),
        kept_per_row,
      );
      const filtered = new Float32Array(data.length).fill(-Infinity);
      for (const [i, ids] of kept.entries())
        for (const id of ids) filtered[i * vocab + id] = data[i * vocab + id] / temperature;
      c.check(output, probabilities(filtered, vocab));
    }
  },

  async var_forward(c, folder) {
    const { config, weights } = folder.var(c.entry.weights.var);
    const labels = c.numbers("in.label");
    const prefix = c.get("out.logits_prefix").shape[1];
    const inputs = c.get("in.var_input");
    const width = config.zChannels;
    const cut = f32([labels.length, prefix - 1, width]);
    for (const row of labels.keys())
      cut.data.set(item(inputs, row).data.subarray(0, (prefix - 1) * width), row * (prefix - 1) * width);
    const out = await evaluate(
      { labels: i64([labels.length], labels), inputs, cut },
      (x) => ({
        "out.logits": teacherForced(config, { labels: x.labels, inputs: x.inputs }),
        "out.logits_prefix": teacherForced(config, { labels: x.labels, inputs: x.cut, length: prefix }),
      }),
      weights,
    );
    for (const [name, value] of Object.entries(out)) c.check(name, value);
  },

  var_sample: (c, folder) => draw(c, folder),
  code_sample: (c, folder) => draw(c, folder),

  async var_sample_smooth(c, folder) {
    const { shape, data } = c.get("in.exponential");
    const [, length, vocab] = shape;
    const codebook = folder.vae(c.entry.weights.vae).weights("quantize.embedding.weight")?.data as Float32Array;
    const gumbel = (row: number, slot: number, code: number) => -Math.log(data[(row * length + slot) * vocab + code]);
    await draw(c, folder, { smooth: { gumbel, codebook } });
  },

  async var_edit(c, folder) {
    const { mask } = drawing.parse(c.entry.params);
    const { config } = folder.vae(c.entry.weights.vae);
    const edit = c.numbers("in.edit_mask");
    if (mask) {
      const side = config.sides[config.sides.length - 1];
      c.expect("in.edit_mask", [...boxMask(mask, side, mask.inpainting ? "inside" : "outside")], edit);
    }
    const kept = keptTokens(edit, config.sides);
    c.check("out.keep", kept);
    const source = c.numbers("in.image_idx");
    const known = Int32Array.from(source, (id, i) => (kept[i % kept.length] ? id : -1));
    await draw(c, folder, { known });
  },

  var_inpaint: (c, folder) => draw(c, folder, { blend: blendOf(c, folder) }),
  code_inpaint: (c, folder) => draw(c, folder, { blend: blendOf(c, folder) }),
};

/** Keeps the recorded maps where the inner mask says so. */
function blendOf(c: VarCase, folder: VarFolder): Blend {
  const { sides } = folder.vae(c.entry.weights.vae).config;
  const side = sides[sides.length - 1];
  const inner = c.get("in.mask_in");
  const mask = resamplePlane(inner.data, inner.shape[3], "nearest", side);
  const outer = resamplePlane(c.get("in.mask_out").data, inner.shape[3], "nearest", side);
  c.expect(
    "the masks are opposites",
    [...outer],
    [...mask].map((share) => 1 - share),
  );
  return keepMaps(mask, c.get("in.f_hats").data, sides.length);
}
