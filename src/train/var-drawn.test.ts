/** Pictures that a larger model drew, as lessons and as files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tinyMsvq, tinyNetworks, tinyStates } from "../../test/tiny-label-model.ts";
import { f32 } from "../base/index.ts";
import { msvqPrograms } from "../models/msvq/index.ts";
import type { LabelledSource } from "./labelled.ts";
import { createTrainer } from "./step.ts";
import { collectTrajectories, trajectoriesIn } from "./trajectory-files.ts";
import { varTask } from "./var.ts";
import { drawnCodec, drawnLessons } from "./var-drawn.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-drawn-"));
const tokenizer = msvqPrograms(tinyMsvq, (name) => tinyStates.msvq.get(name));
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await tokenizer.dispose();
});

const L = 14;
const drawn = Array.from({ length: 6 }, (_, n) => ({
  label: n % 3,
  ids_L: Int32Array.from({ length: L }, (_, i) => (n * 5 + i * 3) % 16),
}));
const unused: LabelledSource = {
  pixels: 6,
  classes: ["dark", "bright", "odd"],
  pictures: () => {
    throw new Error("nobody asks for pictures");
  },
};
const common = { drawn, batchSize: 3, classes: 3, labelDropout: 0, seed: 2 };

test("each picture comes once before any comes again, in another order; what is read is what a decoder reads", async () => {
  const next = drawnLessons(common, tokenizer);
  const rows = async (step: number) => {
    const { ids } = await next(step, 0);
    return [0, 1, 2].map((row) => Array.from(ids.data.subarray(row * L, (row + 1) * L), Number).join());
  };
  const epochs = [
    [...(await rows(0)), ...(await rows(1))],
    [...(await rows(2)), ...(await rows(3))],
  ];
  const all = drawn.map(({ ids_L }) => ids_L.join()).sort();
  expect(epochs.map((epoch) => [...epoch].sort())).toEqual([all, all]);
  expect(epochs[0]).not.toEqual(epochs[1]);
  expect(await rows(2)).toEqual(epochs[1].slice(0, 3));

  const { ids, labels, inputs } = await next(1, 0);
  for (const row of [0, 1, 2]) {
    const own = Array.from(ids.data.subarray(row * L, (row + 1) * L), Number);
    expect(Number(labels.data[row])).toBe(drawn.find(({ ids_L }) => ids_L.join() === own.join())!.label);
    let fHat = f32([1, 4, 3, 3]);
    const read: number[] = [];
    for (const [scale, p] of tinyMsvq.sides.entries()) {
      const at = tinyMsvq.sides.slice(0, scale).reduce((n, side) => n + side * side, 0);
      const codes = f32([1, p * p, 4], tokenizer.codes(own.slice(at, at + p * p)));
      const made = await tokenizer.addScale(scale, fHat, codes);
      fHat = made.fHat;
      read.push(...(made.next?.data ?? []));
    }
    const size = (L - 1) * 4;
    for (const [i, value] of read.entries()) expect(inputs.data[row * size + i]).toBeCloseTo(value, 4);
  }
  const hidden = await drawnLessons({ ...common, labelDropout: 1 }, tokenizer)(0, 0);
  expect([...hidden.labels.data]).toEqual([3n, 3n, 3n]);
});

test("a refiner learns them from its scale on, and no loss asks for the coarser ones", async () => {
  const weights = Object.fromEntries(tinyStates.refiner);
  const lossOf = async (pictures: typeof drawn, steps = 1) => {
    const training = {
      config: tinyNetworks.refiner,
      batchSize: 6,
      labelDropout: 0,
      seed: 2,
      weights,
      from: 2,
      drawn: pictures,
    };
    const task = varTask(training, tokenizer, unused, { about: {} });
    const { name: _, ...trainable } = task;
    const trainer = await createTrainer({ ...trainable, threads: 1 });
    const seen: number[] = [];
    for (let step = 0; step < steps; step++) seen.push((await trainer.step([await task.batch(0, 0)], 0.02)).loss);
    await trainer.dispose();
    return seen;
  };
  const seen = await lossOf(drawn, 20);
  expect(seen[19]).toBeLessThan(0.8 * seen[0]);
  // The last scale alone is told: the same picture with other last tokens has another loss.
  const other = drawn.map(({ label, ids_L }) => ({ label, ids_L: ids_L.map((id, i) => (i < 5 ? id : (id + 1) % 16)) }));
  expect((await lossOf(other))[0]).not.toBeCloseTo(seen[0], 3);
  expect((await lossOf(drawn))[0]).toBe(seen[0]);
});

test("on disk they come back as they were; others are refused", async () => {
  const codec = drawnCodec(L, 16, 3);
  const record = async (first: number, count: number) => drawn.slice(first, first + count);
  await collectTrajectories({ folder, codec, origin: { by: "test" }, count: 6, chunk: 4 }, record);
  expect(trajectoriesIn(folder, codec)).toEqual(drawn);
  for (const wrong of [drawnCodec(L + 1, 16, 3), drawnCodec(L, 15, 3), drawnCodec(L, 16, 2)])
    expect(() => trajectoriesIn(folder, wrong)).toThrow(/not pictures of this model/);
});
