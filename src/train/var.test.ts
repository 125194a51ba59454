import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tinyMsvq, tinyNetworks, tinyStates } from "../../test/tiny-label-model.ts";
import { f32 } from "../base/index.ts";
import { readPicture } from "../image/index.ts";
import { msvqPrograms } from "../models/msvq/index.ts";
import type { Arrays } from "../runtime/index.ts";
import type { LabelledSource } from "./labelled.ts";
import type { TrainTask } from "./loop.ts";
import { msvqTask } from "./msvq.ts";
import { createTrainer } from "./step.ts";
import { refinerTask, varTask } from "./var.ts";
import { varSchedule } from "./var-schedule.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-var-"));
const tokenizer = msvqPrograms(tinyMsvq, (name) => tinyStates.msvq.get(name));
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await tokenizer.dispose();
});

/** Flat colours by class with some noise of the index. */
const source: LabelledSource = {
  pixels: 6,
  classes: ["dark", "bright", "odd"],
  pictures: (first, count) =>
    Array.from({ length: count }, (_, i) => ({
      pixels: Uint8Array.from({ length: 108 }, (_, at) => (((first + i) % 3) * 80 + ((at * (first + i)) % 40)) & 255),
      width: 6,
      height: 6,
      label: (first + i) % 3,
    })),
};
const states = (state: ReadonlyMap<string, Arrays[string]>): Arrays => Object.fromEntries(state);
const base = { batchSize: 4, labelDropout: 0.5, seed: 3 };

async function losses(task: TrainTask, steps: number, lr: number) {
  const trainer = await createTrainer({
    build: (graph) => task.build(graph),
    weights: task.weights,
    frozen: task.frozen,
    decays: task.decays,
    threads: 1,
  });
  const seen: number[] = [];
  for (let step = 0; step < steps; step++) seen.push((await trainer.step([await task.batch(0, 0)], lr)).loss);
  const params = Object.fromEntries(Object.entries(trainer.params).map(([name, { data }]) => [name, data.slice()]));
  await trainer.dispose();
  return { seen, params };
}

test("a transformer from scratch begins near even odds and learns its batch", async () => {
  const task = varTask({ ...base, config: tinyNetworks.drafter }, tokenizer, source, { about: {} });
  const { seen } = await losses(task, 25, 0.02);
  expect(seen[0]).toBeCloseTo(Math.log(16), 1);
  expect(seen[24]).toBeLessThan(seen[0] - 1);
});

test("batches are a function of step and micro-batch; some classes are not told", async () => {
  const task = varTask({ ...base, config: tinyNetworks.drafter }, tokenizer, source, { about: {}, micros: 2 });
  const labels = async (step: number, micro: number) => [
    ...((await task.batch(step, micro)).labels.data as BigInt64Array),
  ];
  expect(await labels(0, 1)).toEqual(await labels(0, 1));
  // Pictures 4 ... 7 of the stream either way.
  const single = varTask({ ...base, config: tinyNetworks.drafter }, tokenizer, source, { about: {} });
  expect([...((await single.batch(1, 0)).labels.data as BigInt64Array)]).toEqual(await labels(0, 1));
  const all = (await Promise.all([0, 1, 2, 3].map((step) => labels(step, 0)))).flat();
  const dropped = all.filter((label) => label === 3n).length;
  expect(dropped).toBeGreaterThan(2);
  expect(dropped).toBeLessThan(14);
  expect((await task.batch(0, 0)).inputs.shape).toEqual([4, 13, 4]);
});

test("a drafter learns its scales alone", async () => {
  const task = varTask(
    { ...base, config: tinyNetworks.drafter, scales: 2, weights: states(tinyStates.drafter) },
    tokenizer,
    source,
    { about: {} },
  );
  const { ids, inputs } = await task.batch(0, 0);
  expect([ids.shape, inputs.shape]).toEqual([
    [4, 5],
    [4, 4, 4],
  ]);
  const whole = await tokenizer.encode((await import("./lesson-arrays.ts")).pixelsOf(source.pictures(0, 4, "train")));
  expect([...(ids.data as BigInt64Array).subarray(5, 10)]).toEqual([...whole.ids.data.subarray(14, 19)]);
  const { seen, params } = await losses(task, 8, 0.01);
  expect(seen[7]).toBeLessThan(seen[0]);
  // Places of the scale that it does not see are only decayed, and they are not.
  const places = tinyStates.drafter.get("pos_1LC")!.data;
  expect(params.pos_1LC.subarray(5 * 16)).toEqual(places.subarray(5 * 16));
  expect(params.pos_1LC.subarray(0, 5 * 16)).not.toEqual(places.subarray(0, 5 * 16));
});

test("tokens that are led astray are corrected by the scales that follow", async () => {
  const { pixelsOf } = await import("./lesson-arrays.ts");
  const pixels = pixelsOf(source.pictures(0, 2, "train"));
  const plain = await tokenizer.encode(pixels);
  const length = plain.ids.shape[1];
  const nothing = new Int32Array(2 * length).fill(-1);
  expect(await tokenizer.encode(pixels, nothing)).toEqual(plain);

  // The first token of the second picture is another one.
  const other = (Number(plain.ids.data[length]) + 5) % tinyMsvq.codebookSize;
  const led = await tokenizer.encode(
    pixels,
    nothing.map((id, i) => (i === length ? other : id)),
  );
  const idsOf = ({ ids }: typeof plain, row: number) =>
    Array.from(ids.data.subarray(row * length, (row + 1) * length), Number);
  expect(idsOf(led, 0)).toEqual(idsOf(plain, 0));
  // What is learnt there is still the right one; what follows tells what is now missing.
  expect(idsOf(led, 1)[0]).toBe(idsOf(plain, 1)[0]);
  expect(idsOf(led, 1).slice(1)).not.toEqual(idsOf(plain, 1).slice(1));
  const used = [other, ...idsOf(led, 1).slice(1)];
  const { sides, zChannels } = tinyMsvq;
  const side = sides.at(-1)!;
  let fHat = f32([1, zChannels, side, side]);
  let at = 0;
  for (const [scale, p] of sides.entries()) {
    const codes = f32([1, p * p, zChannels], tokenizer.codes(used.slice(at, at + p * p)));
    ({ fHat } = await tokenizer.addScale(scale, fHat, codes));
    at += p * p;
    const size = fHat.data.length;
    const told = led.fHats.data.subarray((scale * 2 + 1) * size, (scale * 2 + 2) * size);
    for (const [i, value] of fHat.data.entries()) expect(told[i]).toBeCloseTo(value, 4);
  }
  await expect(tokenizer.encode(pixels, nothing.subarray(1))).rejects.toThrow(/lead astray/);
  await expect(tokenizer.encode(pixels, nothing.fill(tinyMsvq.codebookSize))).rejects.toThrow(/lead astray/);

  const batch = (astray?: number) =>
    varTask({ ...base, config: tinyNetworks.drafter, astray }, tokenizer, source, { about: {} }).batch(0, 0);
  const [right, none, some] = [await batch(), await batch(0), await batch(0.9)];
  expect(none).toEqual(right);
  expect(some.inputs).not.toEqual(right.inputs);
  expect(some).toEqual(await batch(0.9));
});

test.each([0, 2])("a refiner comes closer to its teacher on the scales from %s on; the teacher stays", async (from) => {
  const teacher = { config: tinyNetworks.drafter, weights: states(tinyStates.drafter) };
  const training = { ...base, config: tinyNetworks.refiner, weights: states(tinyStates.refiner), teacher, from };
  const { seen, params } = await losses(refinerTask(training, tokenizer, source, { about: {} }), 15, 0.01);
  expect(seen[0]).toBeGreaterThan(0.1);
  expect(seen[14]).toBeLessThan(0.8 * seen[0]);
  expect(params["teacher.head.weight"]).toEqual(tinyStates.drafter.get("head.weight")!.data);
  expect(params["head.weight"]).not.toEqual(tinyStates.refiner.get("head.weight")!.data);
});

test("a refiner that is its teacher has nothing to learn", async () => {
  const teacher = { config: tinyNetworks.drafter, weights: states(tinyStates.drafter) };
  const training = { ...base, config: tinyNetworks.drafter, weights: teacher.weights, teacher, from: 1 };
  const { seen } = await losses(refinerTask(training, tokenizer, source, { about: {} }), 1, 0);
  expect(Math.abs(seen[0])).toBeLessThan(1e-5);
});

test("a tokenizer learns to reconstruct, and its decoder alone leaves tokens as they are", async () => {
  const training = { config: tinyMsvq, batchSize: 4, reconstruction: 10, entropy: 0.05 };
  const { seen, params } = await losses(msvqTask(training, source, {}), 20, 0.01);
  expect(seen[19]).toBeLessThan(0.7 * seen[0]);
  expect(params["quantize.embedding.weight"].some((x) => x !== 0)).toBe(true);
  const decoderOf = states(tinyStates.msvq);
  const later = await losses(msvqTask({ ...training, decoderOf }, source, {}), 10, 0.01);
  expect(later.seen[9]).toBeLessThan(later.seen[0]);
  for (const name of Object.keys(decoderOf)) {
    const same = later.params[name].every((x, i) => x === decoderOf[name].data[i]);
    expect([name, same]).toEqual([name, !/^(post_quant_conv|decoder)\./.test(name)]);
  }
});

test("samples show every class, a drafter's as far as it draws", async () => {
  const config = tinyNetworks.drafter;
  for (const scales of [3, 2]) {
    const task = varTask({ ...base, config, scales, weights: states(tinyStates.drafter) }, tokenizer, source, {
      about: {},
    });
    await task.sample!(states(tinyStates.drafter) as never, 1, folder);
    expect((await readPicture(join(folder, "classes.png"))).width).toBeGreaterThan(3 * 6);
  }
});

test("published schedules, step by step", () => {
  const at = (kind: "lin0" | "cos" | "lin" | "lin00" | "exp" | `lin${number}`) =>
    [1, 4, 8].map(
      (step) =>
        varSchedule({ kind, peak: 2e-4, warmup: 3, steps: 12, weightDecay: 0.05, lastWeightDecay: 0.01 }, step).lr,
    );
  const near = (kind: Parameters<typeof at>[0], rates: number[]) =>
    expect(at(kind).map((lr, i) => Math.abs(lr / rates[i] - 1) < 1e-9)).toEqual([true, true, true]);
  near("lin0", [6.733333333333333e-5, 0.00018436842105263158, 8.015789473684211e-5]);
  near("cos", [6.733333333333333e-5, 0.00019246407371861738, 6.311434019585612e-5]);
  near("lin", [6.733333333333333e-5, 0.0002, 8.935294117647059e-5]);
  near("lin00", [6.733333333333333e-5, 0.00017525, 7.625e-5]);
  near("lin0.8", [6.733333333333333e-5, 0.000187625, 0.000138125]);
  near("exp", [6.733333333333333e-5, 0.0002, 1.5253971718046894e-5]);
  const decay = varSchedule(
    { kind: "lin0", peak: 1, warmup: 3, steps: 12, weightDecay: 0.05, lastWeightDecay: 0.01 },
    4,
  );
  expect(decay.weightDecay).toBeCloseTo(0.03830830026003773, 12);
  expect(() => varSchedule({ kind: "lin7", peak: 1, warmup: 0, steps: 9, weightDecay: 0 }, 1)).toThrow("unknown");
});
