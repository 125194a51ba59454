import { expect, test } from "vitest";
import { f32 } from "../base/index.ts";
import { Graph } from "../graph/index.ts";
import { DETECTOR_SIZES } from "../models/detector/index.ts";
import { compile } from "../runtime/index.ts";
import { CLASS_NAMES, COLOR_NAMES, DOMAINS, loadAtlas } from "../scenes/index.ts";
import { detectorTask, focalLoss, targetsOf, trainingPicture } from "./detector.ts";
import { createTrainer } from "./step.ts";

const config = { ...DETECTOR_SIZES, classes: CLASS_NAMES, colors: COLOR_NAMES };

test("the focal loss by hand", async () => {
  const graph = new Graph();
  const input = (name: string) => graph.input(name, "float32", [4]);
  graph.output("loss", focalLoss(input("logits"), input("target"), graph.input("objects", "float32", [])));
  const program = await compile(graph);
  const loss = async (logits: number[], target: number[]) =>
    (await program.run({ logits: f32([4], logits), target: f32([4], target), objects: f32([], [2]) })).loss.data[0];
  const ln3 = Math.log(3); // a score of 0.75
  const centre = 0.25 ** 2 * -Math.log(0.75);
  const empty = 0.75 ** 2 * -Math.log(0.25);
  expect(await loss([ln3, -99, -99, -99], [1, 0, 0, 0])).toBeCloseTo(centre / 2, 6);
  expect(await loss([99, ln3, -99, -99], [1, 0, 0, 0])).toBeCloseTo(empty / 2, 6);
  // Near a centre an alarm counts less.
  expect(await loss([99, ln3, -99, -99], [1, 0.5, 0, 0])).toBeCloseTo((0.5 ** 4 * empty) / 2, 6);
  expect(await loss([99, -99, -99, -99], [1, 0.36, 0, 0])).toBeCloseTo(0, 6);
  await program.dispose();
});

test("targets: a centre, its bump, box and colour in the cell where the centre lies", () => {
  const object = { class: "car", color: "blue", x: 8, y: 17, size: 32 } as const;
  const plain = { class: "cake", color: null, x: 32, y: 0, size: 16 } as const;
  const picture = { pixels: new Uint8Array(0), width: 64, height: 64, colored: true };
  const arrays = targetsOf(config, [
    { ...picture, objects: [object, plain] },
    { ...picture, colored: false, objects: [object] },
  ]);
  const at = (name: string, b: number, channel: number, cell: number) => {
    const { data, shape } = arrays[name];
    return Number(data[(b * shape[1] + channel) * 256 + cell]);
  };
  // Centre at (24, 33) pixels: column 6 and a quarter of a cell below the edge of row 8.
  const cell = 8 * 16 + 6;
  const car = CLASS_NAMES.indexOf("car");
  expect(at("here", 0, 0, cell)).toBe(1);
  expect(at("centers", 0, car, cell)).toBe(1);
  expect(at("centers", 0, car, cell + 1)).toBeCloseTo(Math.exp(-1 / (2 * 0.49)), 6);
  expect(at("centers", 0, car, cell + 3)).toBe(0);
  expect([0, 1, 2, 3].map((i) => at("boxes", 0, i, cell))).toEqual([0, 0.25, 8, 8]);
  const colors = (b: number, at_: number) => Array.from({ length: 11 }, (_, k) => at("colors", b, k, at_)).indexOf(1);
  expect(colors(0, cell)).toBe(COLOR_NAMES.indexOf("blue"));
  // No plain colour: the last output. Exchanged channels: no colour is taught.
  expect(colors(0, 2 * 16 + 10)).toBe(10);
  expect(colors(1, cell)).toBe(-1);
  expect(at("centers", 1, car, cell)).toBe(1);
});

test("pictures depend on seed and index; what is to be found lies in them; some show nothing", async () => {
  const atlas = await loadAtlas();
  const pictures = Array.from({ length: 150 }, (_, i) => trainingPicture(atlas, DOMAINS.easy, config, 9, i));
  expect(trainingPicture(atlas, DOMAINS.easy, config, 9, 7)).toEqual(pictures[7]);
  for (const { objects } of pictures)
    for (const { x, y, size } of objects)
      expect(Math.min(x, y, 64 - x - size, 64 - y - size)).toBeGreaterThanOrEqual(-4);
  expect(pictures.filter(({ objects }) => objects.length === 0).length).toBeGreaterThan(3);
  expect(pictures.filter(({ colored }) => colored).length).toBeGreaterThan(95);
});

test("ten steps on few pictures lower every loss", async () => {
  const small = { ...config, width: 16, deepWidth: 16, deepBlocks: 1 };
  const parts = { atlas: await loadAtlas(), domain: DOMAINS.easy };
  const task = detectorTask({ config: small, batchSize: 4, seed: 1 }, parts, {});
  const trainer = await createTrainer({ build: (graph) => task.build(graph), seed: 1, threads: 1 });
  const batch = await task.batch(0, 0);
  const first = await trainer.step([batch], 3e-3);
  let last = first;
  for (let i = 0; i < 10; i++) last = await trainer.step([batch], 3e-3);
  for (const name of ["centers", "boxes", "colors"])
    expect(last.metrics[name], name).toBeLessThan(0.95 * first.metrics[name]);
  await trainer.dispose();
});
