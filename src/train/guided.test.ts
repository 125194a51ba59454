/** Learning to draw without guidance: the losses against the logits of drawing itself, and what learns. */
import { expect, test } from "vitest";
import { goldenShowo as config } from "../../test/golden-config.ts";
import type { NdArray } from "../base/index.ts";
import { blank } from "../decode/index.ts";
import { readSafetensors } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import { IGNORE, imagePredictor, showoPrograms } from "../models/showo/index.ts";
import { compile } from "../runtime/index.ts";
import { isTeachers, withTeacher } from "./frozen-teacher.ts";
import { followedRow, guidedFeeds, guidedLosses } from "./guided.ts";
import { maskForTraining } from "./pretrain-losses.ts";
import { createTrainer } from "./step.ts";

const read = (file: string): Record<string, NdArray> => {
  const stored = readSafetensors(new URL(`../../test/golden-data/show-o/${file}`, import.meta.url).pathname);
  return Object.fromEntries(stored.names.map((name) => [name, stored.get(name)]));
};
const [teacher, student] = [read("weights.safetensors"), read("student.safetensors")];
const CELLS = config.imageTokens;
const GUIDANCE = 1.5;
const rows = [[7, 8, 9], [10]].map((text, b) => {
  const codes = Array.from({ length: CELLS }, (_, i) => (i * 7 + b * 5) % config.codebookSize);
  const uniforms = Array.from({ length: CELLS }, (_, i) => ((i * 5 + b) % CELLS) / CELLS);
  return { text, masked: maskForTraining(codes, 0.3 + 0.3 * b, uniforms) };
});
const feeds = guidedFeeds(config, rows);

async function losses(weights: Record<string, NdArray>, guidance: number) {
  const graph = new Graph();
  for (const [name, loss] of Object.entries(guidedLosses(graph, config, { rows: 2, guidance })))
    graph.output(name, loss);
  const all = withTeacher(weights, teacher);
  const program = await compile(graph, { weights: (name) => all[name], threads: 1 });
  const out = await program.run(feeds);
  await program.dispose();
  return Object.fromEntries(Object.entries(out).map(([name, { data }]) => [name, Number(data[0])]));
}

/** Logits of each cell of both rows, as drawing computes them. */
async function drawing(weights: Record<string, NdArray>, prompts: number[][], guidance: number): Promise<number[][]> {
  const programs = showoPrograms(config, (name) => weights[name], { threads: 1 });
  const predictor = await imagePredictor(programs, { prompts, guidance });
  const canvas = blank(2, CELLS);
  for (const [b, { masked }] of rows.entries()) canvas.ids_BL.set(masked.ids, b * CELLS);
  const flat = Array.from(await predictor.predict(canvas, { start: 0, end: CELLS }, 1));
  await programs.dispose();
  return Array.from({ length: 2 * CELLS }, (_, i) =>
    flat.slice(i * config.codebookSize, (i + 1) * config.codebookSize),
  );
}

const logSoftmax = (row: number[]) => {
  const sum = Math.log(row.reduce((total, x) => total + Math.exp(x), 0));
  return row.map((x) => x - sum);
};

test("losses are those of drawing's own logits", async () => {
  const prompts = rows.map(({ text }) => text);
  const said = await drawing(student, prompts, 0);
  const guided = await drawing(teacher, prompts, GUIDANCE);
  const unasked = await drawing(teacher, [[], []], 0);
  const labels = rows.flatMap(({ masked }) => [...masked.labels]);
  const cells = labels.flatMap((label, i) => (label < 0 ? [] : [i]));
  const mean = (of: (i: number) => number) => cells.reduce((sum, i) => sum + of(i), 0) / cells.length;
  const cross = (target: number[], logits: number[]) => {
    const [p, log] = [logSoftmax(target).map(Math.exp), logSoftmax(logits)];
    return -p.reduce((sum, x, k) => sum + x * log[k], 0);
  };
  const told = mean((i) => cross(guided[i], said[i]));
  const seen = mean(
    (i) => -logSoftmax(said[i].map((s, k) => (s + GUIDANCE * unasked[i][k]) / (1 + GUIDANCE)))[labels[i]],
  );
  const got = await losses(student, GUIDANCE);
  expect(cells.length).toBeGreaterThan(10);
  expect(got.told).toBeCloseTo(told, 4);
  expect(got.seen).toBeCloseTo(seen, 4);
  expect(got.divergence).toBeCloseTo(told - mean((i) => cross(guided[i], guided[i])), 4);
  expect(got.divergence).toBeGreaterThan(0.01);
});

test("a student that is its teacher has nothing to be told without guidance, and something with it", async () => {
  expect((await losses(teacher, 0)).divergence).toBeCloseTo(0, 5);
  expect((await losses(teacher, GUIDANCE)).divergence).toBeGreaterThan(0.001);
});

test("the student comes closer to the guided teacher, which stays as it is", async () => {
  const trainer = await createTrainer({
    build: (graph) => {
      const { told, divergence } = guidedLosses(graph, config, { rows: 2, guidance: GUIDANCE });
      return { loss: told, metrics: { divergence } };
    },
    weights: withTeacher(teacher, teacher),
    frozen: isTeachers,
    threads: 1,
  });
  const seen: number[] = [];
  for (let step = 0; step < 25; step++) seen.push((await trainer.step([feeds], 5e-4)).metrics.divergence);
  const [name] = Object.keys(teacher).filter((key) => key.endsWith("q_proj.weight"));
  expect(seen[24]).toBeLessThan(0.5 * seen[0]);
  expect(trainer.params[`teacher.${name}`].data).toEqual(teacher[name].data);
  expect(trainer.params[name].data).not.toEqual(teacher[name].data);
  await trainer.dispose();
});

test("a followed picture shows what was decided before a step and asks for the rest", () => {
  const trajectory = {
    prompt: [7, 8],
    ids_L: Int32Array.of(3, 1, 4, 1),
    decided_L: Uint8Array.of(2, 0, 1, 2),
    labelIds: new Int32Array(),
    labelShares: new Float32Array(),
  };
  expect(followedRow(trajectory, 0)).toEqual({
    text: [7, 8],
    masked: { ids: Int32Array.of(-1, -1, -1, -1), labels: trajectory.ids_L },
  });
  expect(followedRow(trajectory, 2).masked).toEqual({
    ids: Int32Array.of(-1, 1, 4, -1),
    labels: Int32Array.of(3, IGNORE, IGNORE, 1),
  });
});
