/** Masking and pretraining losses against recorded values. */
import { expect, test } from "vitest";
import { goldenShowo as config } from "../../test/golden-config.ts";
import { f32, type NdArray } from "../base/index.ts";
import { readSafetensors } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import { codesOf, type TrainingRow, textToImageRow } from "../models/showo/index.ts";
import { compile } from "../runtime/index.ts";
import { maskForTraining, pretrainFeeds, pretrainLosses, targetsOf } from "./pretrain-losses.ts";

const read = (file: string) =>
  readSafetensors(new URL(`../../test/golden-data/show-o/${file}`, import.meta.url).pathname);
const cases = read("cases_training.safetensors");
const state = read("weights.safetensors");
const rowsOf = ({ data, shape }: NdArray) =>
  Array.from({ length: shape[0] }, (_, b) => Array.from(data.slice(b * shape[1], (b + 1) * shape[1]), Number));

test("masking for training gives the recorded cells", () => {
  const field = (name: string) => rowsOf(cases.get(`train_masking.${name}`));
  const times = cases.get("train_masking.timestep_uniforms").data;
  for (const [b, ids] of field("image_ids").entries()) {
    const masked = maskForTraining(codesOf(config, ids), Number(times[b]), field("order_uniforms")[b]);
    expect(Array.from(masked.ids)).toEqual(codesOf(config, field("masked_ids")[b]));
    expect(Array.from(masked.labels, (id) => (id < 0 ? id : id + 110))).toEqual(field("labels")[b]);
    expect(masked.ratio).toBeCloseTo(Number(cases.get("train_masking.mask_prob").data[b]), 6);
  }
});

test("at least one cell is masked, halves round to even", () => {
  const masked = (t: number) => maskForTraining([5, 6, 7, 8, 9], t, [0.1, 0.2, 0.3, 0.4, 0.5], (x) => x).labels;
  const count = (t: number) => masked(t).filter((id) => id >= 0).length;
  expect([0, 0.1, 0.3, 0.5, 0.7, 1].map(count)).toEqual([1, 1, 2, 2, 4, 5]);
  expect(() => maskForTraining([1, 2], 0.5, [0.1])).toThrow(/a uniform for each cell/);
});

test("losses of a mixed batch are the recorded ones, and so is who sees whom", async () => {
  const labels = rowsOf(cases.get("train_losses.labels"));
  const all: TrainingRow[] = rowsOf(cases.get("train_losses.input_ids")).map((ids, b) => ({ ids, labels: labels[b] }));
  const feeds = pretrainFeeds(config, { t2i: all.slice(0, 2), lm: all.slice(2, 3), mmu: all.slice(3) });
  expect(Array.from(feeds.bias.data, (x) => Number(x === 0))).toEqual(
    Array.from(cases.get("train_losses.mask_allowed").data, Number),
  );
  const graph = new Graph();
  const { total, tasks } = pretrainLosses(graph, config, { rows: { t2i: 2, lm: 1, mmu: 2 } });
  for (const [task, loss] of Object.entries({ ...tasks, total })) graph.output(task, loss);
  const program = await compile(graph, { weights: (name) => state.get(name), threads: 1 });
  const out = await program.run(feeds);
  for (const name of ["t2i", "lm", "mmu", "total"])
    expect(Number(out[name].data[0])).toBeCloseTo(Number(cases.get(`train_losses.loss_${name}`).data[0]), 4);
});

test("a batch may leave tasks out", () => {
  const { tasks, total } = pretrainLosses(new Graph(), config, { rows: { t2i: 2, lm: 0, mmu: 0 } });
  expect(Object.keys(tasks)).toEqual(["t2i"]);
  expect(total.shape).toEqual([]);
  expect(() => pretrainFeeds(config, { t2i: [{ ids: [1], labels: [1] }], lm: [], mmu: [] })).toThrow(/29 ids/);
});

test("ignored labels weigh nothing", () => {
  expect(targetsOf([[3, -100]])).toEqual({
    labels: { dtype: "int64", shape: [1, 2], data: BigInt64Array.of(3n, 0n) },
    weights: f32([1, 2], [1, 0]),
  });
});

test("fewer text slots than the model has leave the loss of drawing as it is", async () => {
  const loss = async (slots: number) => {
    const narrow = { ...config, maxTextTokens: slots };
    const labels = Array.from({ length: config.imageTokens }, (_, i) => (i % 3 ? -100 : i));
    const codes = labels.map((id, i) => (id < 0 ? i : -1));
    const t2i = [[7, 8, 9], [10]].map((text) => textToImageRow(narrow, text, codes, labels));
    const graph = new Graph();
    graph.output("loss", pretrainLosses(graph, narrow, { rows: { t2i: 2, lm: 0, mmu: 0 } }).total);
    const program = await compile(graph, { weights: (name) => state.get(name), threads: 1 });
    const out = await program.run(pretrainFeeds(narrow, { t2i, lm: [], mmu: [] }));
    await program.dispose();
    return Number(out.loss.data[0]);
  };
  expect(await loss(5)).toBeCloseTo(await loss(config.maxTextTokens), 5);
  expect(config.maxTextTokens).toBeGreaterThan(5);
  // One slot too few cuts a prompt, which must show.
  expect(Math.abs((await loss(4)) - (await loss(5)))).toBeGreaterThan(1e-4);
});
