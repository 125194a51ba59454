/** Losses of distillation by their definitions; the golden runner compares whole recorded steps. */
import { expect, test } from "vitest";
import { f32 } from "../base/index.ts";
import { canvasOf } from "../decode/index.ts";
import { Graph } from "../graph/index.ts";
import { type ShowoConfig, textRow, vocabularyOf } from "../models/showo/index.ts";
import { compile } from "../runtime/index.ts";
import {
  type DistillBatch,
  type DistillLosses,
  type DistillSettings,
  distillFeeds,
  distillLosses,
} from "./distill-losses.ts";
import type { ImagePair } from "./distill-trajectory.ts";
import { initialise } from "./init.ts";

const config: ShowoConfig = {
  model: "showo",
  hiddenSize: 16,
  layers: 2,
  heads: 2,
  mlpSize: 32,
  rotaryFraction: 0.5,
  ropeTheta: 10000,
  normEps: 1e-5,
  llmVocabSize: 8,
  endOfText: 7,
  codebookSize: 4,
  imageTokens: 4,
  maxTextTokens: 5,
};
const { image, mmu, soi, eoi } = vocabularyOf(config);
const prefix = [mmu, soi, image, image + 1, image + 2, image + 3, eoi, 7];
const settings: DistillSettings = {
  rows: { image: 2, text: 1, lm: 1 },
  textLength: 13,
  textIgnored: 8,
  weights: { imageConsistency: 0.5, textRegularisation: 10, text: 0.5, lm: 0.1 },
};
const uniform = (rows: number) => new Float32Array(rows * 4 * 4).fill(0.25);
const batch: DistillBatch & { image: ImagePair } = {
  prompts: [[1, 2], [3]],
  image: {
    from: canvasOf(2, 4, Int32Array.of(0, -1, -1, 2, -1, -1, -1, -1)),
    to: canvasOf(2, 4, Int32Array.of(0, 1, -1, 2, 1, -1, 3, -1)),
    student_BLV: uniform(2),
    teacher_BLV: uniform(2).map((_, i) => (i % 4 === 1 ? 0.7 : 0.1)),
  },
  texts: [{ from: [...prefix, 1, 2, 3], to: [...prefix, 1, 4, 3], last: [...prefix, 1, 4, 5] }],
  lm: [textRow(config, [5, 6])],
};

async function lossesOf(
  of: DistillBatch,
  how: DistillSettings = settings,
): Promise<Record<keyof DistillLosses, number>> {
  const graph = new Graph();
  const losses = distillLosses(graph, config, how);
  for (const [name, loss] of Object.entries(losses)) graph.output(name, loss);
  const weights = (name: string) => {
    const { tensor, init } = graph.params.get(name)!;
    const value = f32(tensor.shape as number[]);
    initialise(value.data, init, 5, name);
    return value;
  };
  const program = await compile(graph, { threads: 1, weights });
  const out = await program.run(distillFeeds(config, how, of));
  await program.dispose();
  return Object.fromEntries(program.outputs.map((name) => [name, Number(out[name].data[0])])) as Record<
    keyof DistillLosses,
    number
  >;
}

test("totals are the weighted sums of their parts", async () => {
  const loss = await lossesOf(batch);
  expect(loss.image).toBeCloseTo(0.5 * loss.imageConsistency + loss.imageRegularisation, 5);
  expect(loss.text).toBeCloseTo(loss.textConsistency + 10 * loss.textRegularisation, 4);
  expect(loss.total).toBeCloseTo(loss.image + 0.5 * loss.text + 0.1 * loss.lm, 4);
  for (const value of Object.values(loss)) expect(value).toBeGreaterThan(0.1);
});

test("padding behind a text changes nothing", async () => {
  const [short, long] = [await lossesOf(batch, { ...settings, textLength: 11 }), await lossesOf(batch)];
  expect(long.textConsistency).toBeCloseTo(short.textConsistency, 6);
  expect(long.textRegularisation).toBeCloseTo(short.textRegularisation, 6);
});

test("only open cells count, and no open cell is no loss", async () => {
  const all = {
    ...batch.image,
    student_BLV: batch.image.student_BLV.slice(),
    teacher_BLV: batch.image.teacher_BLV.slice(),
  };
  // Cell 0 is decided in both states, cell 1 at the end only.
  all.student_BLV.set([9, 9, 9, 9, 9, 9, 9, 9]);
  all.teacher_BLV.set([9, 9, 9, 9]);
  const [before, after] = [await lossesOf(batch), await lossesOf({ ...batch, image: all })];
  expect(after.imageConsistency).toBe(before.imageConsistency);
  expect(after.imageRegularisation).toBe(before.imageRegularisation);
  all.teacher_BLV.set([9, 9, 9, 9], 4);
  expect((await lossesOf({ ...batch, image: all })).imageRegularisation).not.toBe(before.imageRegularisation);

  const decided = { ...batch.image, to: canvasOf(2, 4, new Int32Array(8)) };
  expect((await lossesOf({ ...batch, image: decided })).imageConsistency).toBe(0);
});

test("equal points have no consistency loss, longer texts are refused", async () => {
  const [{ from, last }] = batch.texts;
  expect((await lossesOf({ ...batch, texts: [{ from, to: from, last }] })).textConsistency).toBe(0);
  expect(() => distillFeeds(config, { ...settings, textLength: 10 }, batch)).toThrow(/at most 10 ids/);
});

test("points that share a picture give the mean of the losses that each has alone", async () => {
  const [{ from, last }] = batch.texts;
  const other = [...prefix, 4, 4, 4];
  const alone = [];
  for (const point of [from, other]) alone.push(await lossesOf({ ...batch, texts: [{ from: point, to: last, last }] }));
  // All three positions of `other` are compared, two of `from`.
  const mean = (2 * alone[0].textConsistency + 3 * alone[1].textConsistency) / 5;
  const texts = [from, other].map((point) => ({ from: point, to: last, last }));
  for (const textEnds of ["own", "last"] as const) {
    const together = await lossesOf({ ...batch, texts }, { ...settings, textPoints: 2, textEnds });
    expect(together.textConsistency).toBeCloseTo(mean, 5);
    expect(together.textRegularisation).toBeCloseTo(alone[0].textRegularisation, 5);
  }
  const two = { ...settings, rows: { ...settings.rows, text: 2 }, textPoints: 2 };
  const doubled = await lossesOf({ ...batch, texts: [...texts, ...texts] }, two);
  expect(doubled.textConsistency).toBeCloseTo(mean, 5);
});
