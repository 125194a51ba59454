import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { tinyMsvq, tinyNetworks, tinyStates, tinyVar } from "../../../test/tiny-label-model.ts";
import { f32, i64, type NdArray } from "../../base/index.ts";
import {
  argmax,
  blank,
  canvasOf,
  collect,
  type DecodeState,
  decodeScales,
  handOver,
  likely,
  type Predictor,
  seeded,
  squareScales,
} from "../../decode/index.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { featureMaps, msvqPrograms, scaleOffsets } from "../msvq/index.ts";
import { readStateDict } from "../weights.ts";
import { boxMask, keptTokens } from "./edit.ts";
import { teacherForced } from "./graph.ts";
import { varPredictor } from "./predictor.ts";
import { varPrograms } from "./programs.ts";
import { varBuffers, varParameters } from "./weights.ts";

const tokenizer = msvqPrograms(tinyMsvq, (name) => tinyStates.msvq.get(name), { micro: 2 });
const networks = {
  drafter: varPrograms(tinyNetworks.drafter, (name) => tinyStates.drafter.get(name)),
  refiner: varPrograms(tinyNetworks.refiner, (name) => tinyStates.refiner.get(name)),
};
afterAll(async () => {
  for (const programs of [tokenizer, networks.drafter, networks.refiner]) await programs.dispose();
});

const LABELS = [2, 0, 1];
const scales = squareScales(tinyMsvq.sides);
const [L, offsets] = [14, scaleOffsets(tinyMsvq)];
const sample = likely({ noise: seeded(5, "sample"), topK: 10, topP: 0.9 });

/** Draws with one network, or with a drafter of `n` scales and a refiner. */
async function draw(guidance: number, n = 3, refiner: keyof typeof networks = "refiner", labels = LABELS, seed = 5) {
  const maps = featureMaps(tokenizer, labels.length);
  const request = { labels, maps, guidance };
  const first = await varPredictor(networks.drafter, { ...request, scales: n });
  const second = await varPredictor(networks[refiner], request);
  const predictor: Predictor = n === 3 ? first : handOver(first, second, ({ start }) => start >= offsets[n]);
  const pick = seed === 5 ? sample : likely({ noise: seeded(seed, "sample"), topK: 10, topP: 0.9 });
  const states = await collect(decodeScales(predictor, blank(labels.length, L), { scales, sample: pick }));
  return { states, ids: [...states[states.length - 1].canvas.ids_BL], maps };
}

/** Logits [B, L, V] of everything at once, without caches or savings: the plain twin. */
async function plain(name: keyof typeof networks, ids: Int32Array, labels: readonly number[]): Promise<Float32Array> {
  const maps = featureMaps(tokenizer, labels.length);
  const canvas = canvasOf(labels.length, L, ids);
  const inputs = f32([labels.length, L - 1, 4]);
  for (const scale of [1, 2]) {
    const { data, shape } = await maps.input(canvas, scale);
    const size = shape[1] * 4;
    for (const row of labels.keys())
      inputs.data.set(data.subarray(row * size, (row + 1) * size), (row * (L - 1) + offsets[scale] - 1) * 4);
  }
  const graph = new Graph();
  const given: Record<string, NdArray> = { labels: i64([labels.length], labels), inputs };
  const [a, b] = Object.entries(given).map(([key, { dtype, shape }]) => graph.input(key, dtype, shape));
  graph.output("logits", teacherForced(networks[name].config, { labels: a, inputs: b }));
  const program = await compile(graph, { weights: (key) => tinyStates[name].get(key) });
  const { logits } = await program.run(given);
  await program.dispose();
  return logits.data as Float32Array;
}

/** The logits of all scales, row by row. */
function logitsOf(states: readonly DecodeState[], rows: number): Float32Array {
  const out = new Float32Array(rows * L * 16);
  for (const { span, logits_BTV } of states) {
    const size = (span.end - span.start) * 16;
    for (let row = 0; row < rows; row++)
      out.set(logits_BTV.subarray(row * size, (row + 1) * size), (row * L + span.start) * 16);
  }
  return out;
}

const expectNear = (got: Float32Array, want: Float32Array) => {
  expect(got.length).toBe(want.length);
  expect(Math.max(...want.map(Math.abs))).toBeGreaterThan(1);
  expect(Math.max(...got.map((x, i) => Math.abs(x - want[i])))).toBeLessThan(2e-4);
};

test("scale by scale with caches, the logits are those of one plain pass", async () => {
  const { states } = await draw(0);
  expectNear(logitsOf(states, 3), await plain("drafter", states[2].canvas.ids_BL, LABELS));
});

test("guidance grows with the scale and weighs the class against any class", async () => {
  const { states } = await draw(1.5);
  const ids = states[2].canvas.ids_BL;
  const [asked, any] = [await plain("drafter", ids, LABELS), await plain("drafter", ids, [3, 3, 3])];
  const scaleOf = (i: number) => [0, 0.5, 1][offsets.findLastIndex((offset) => offset <= Math.floor(i / 16) % L)];
  const guided = asked.map((x, i) => x + 1.5 * scaleOf(i) * (x - any[i]));
  expect(Math.max(...guided.map((x, i) => Math.abs(x - asked[i])))).toBeGreaterThan(0.5);
  expectNear(logitsOf(states, 3), guided);
});

test("a refiner that takes over says what it would have said of the whole prefix", async () => {
  for (const n of [1, 2]) {
    const { states } = await draw(0, n);
    const [own, drafts] = ["refiner", "drafter"] as const;
    const ids = states[2].canvas.ids_BL;
    const [refined, drafted] = [await plain(own, ids, LABELS), await plain(drafts, ids, LABELS)];
    const want = refined.map((x, i) => (Math.floor(i / 16) % L < offsets[n] ? drafted[i] : x));
    expectNear(logitsOf(states, 3), want);
  }
});

test("a drafter that refines itself draws what it draws alone", async () => {
  const alone = await draw(1.5);
  expect(new Set(alone.ids).size).toBeGreaterThan(5);
  for (const n of [1, 2]) expect((await draw(1.5, n, "drafter")).ids).toEqual(alone.ids);
});

test("rows drawn one by one are those drawn together", async () => {
  const together = await draw(1.5, 2);
  for (const [row, label] of LABELS.entries())
    expect((await draw(1.5, 2, "refiner", [label], 5 + row)).ids).toEqual(together.ids.slice(row * L, (row + 1) * L));
});

test("keys and values are held for the scales that are read again, and given back at the hand-over", async () => {
  const maps = featureMaps(tokenizer, 2);
  const request = { labels: [0, 1], maps, guidance: 1 };
  const first = await varPredictor(networks.drafter, { ...request, scales: 2 });
  const second = await varPredictor(networks.refiner, request);
  const both = handOver(first, second, ({ start }) => start >= 5);
  const held: number[][] = [];
  for await (const _ of decodeScales(both, blank(2, L), { scales, sample: argmax }))
    held.push([first.cacheBytes, second.cacheBytes]);
  // Two rows and their unasked twins; keys and values; 1 token by 2 layers of 16, none of the last scale.
  expect(held).toEqual([
    [4 * 2 * 1 * 2 * 16 * 4, 0],
    [4 * 2 * 1 * 2 * 16 * 4, 0],
    [0, 0],
  ]);
  const alone = await varPredictor(networks.drafter, { labels: [0], maps: featureMaps(tokenizer, 1) });
  for await (const _ of decodeScales(alone, blank(1, L), { scales, sample: argmax }));
  expect(alone.cacheBytes).toBe(2 * 5 * 2 * 16 * 4);
  alone.release();
  expect(alone.cacheBytes).toBe(0);
});

test("what a class decides is computed once", async () => {
  const [first] = await networks.drafter.conditions([1]);
  const [, again, other] = await networks.drafter.conditions([3, 1, 2]);
  expect(again).toBe(first);
  expect([first.start.length, first.mods.length]).toEqual([16, (6 * 2 + 2) * 16]);
  expect([...other.mods]).not.toEqual([...first.mods]);
});

test("one copy of the weights gives the same", async () => {
  const shared = varPrograms(tinyNetworks.drafter, (name) => tinyStates.drafter.get(name), { shared: true });
  const predictor = await varPredictor(shared, { labels: LABELS, maps: featureMaps(tokenizer, 3), guidance: 1.5 });
  const states = await collect(decodeScales(predictor, blank(3, L), { scales, sample }));
  expect([...states[2].canvas.ids_BL]).toEqual((await draw(1.5)).ids);
  await shared.dispose();
});

test("kept tokens stay, the others follow them", async () => {
  const kept = keptTokens(boxMask({ y0: 0, x0: 0, y1: 1, x1: 0.5 }, 3, "inside"), tinyMsvq.sides);
  // The column that is drawn is the first of three (0.5 * 3 rounds to the even 2): columns 0 and 1.
  expect([...kept]).toEqual([1, ...[0, 1], ...[0, 1], ...[0, 0, 1], ...[0, 0, 1], ...[0, 0, 1]]);
  const canvas = blank(1, L);
  for (const [i, keep] of kept.entries()) if (keep) canvas.ids_BL[i] = 7;
  const predictor = await varPredictor(networks.drafter, { labels: [1], maps: featureMaps(tokenizer, 1) });
  const states = await collect(decodeScales(predictor, canvas, { scales, sample }));
  const ids = states[2].canvas.ids_BL;
  for (const [i, keep] of kept.entries()) expect(ids[i] === 7 || !keep).toBe(true);
  expectNear(logitsOf(states, 1), await plain("drafter", ids, [1]));
  expect(() => boxMask({ y0: 0.5, x0: 0, y1: 0.5, x1: 1 }, 3, "inside")).toThrow("the box is empty");
  expect(() => boxMask({ y0: 0, x0: 0, y1: 1.5, x1: 1 }, 3, "inside")).toThrow("y1: the box leaves the picture");
});

test("a published file holds exactly its tensors and constants", async () => {
  const config = { ...tinyVar(32, 2), classes: 10, mlpSize: 128, sides: [1, 2, 3, 4], codebookSize: 64, zChannels: 8 };
  const path = fileURLToPath(new URL("../../../test/golden-data/var/weights/var_l2.pth", import.meta.url));
  const read = await readStateDict(path, varParameters(config), { buffers: varBuffers(config) });
  expect(read.size).toBe(varParameters(config).size);
  await expect(readStateDict(path, varParameters(config))).rejects.toThrow(/4 unexpected: lvl_1L/);
  const other = { ...varBuffers(config), lvl_1L: new Array(30).fill(1) };
  await expect(readStateDict(path, varParameters(config), { buffers: other })).rejects.toThrow('"lvl_1L"');
});

test("requests that cannot be drawn", async () => {
  const maps = featureMaps(tokenizer, 1);
  const ask = (request: object) => varPredictor(networks.drafter, { labels: [0], maps, ...request });
  await expect(ask({ labels: [4] })).rejects.toThrow(/label: no such class\n {2}expected 0 to 2\n {2}got {6}4/);
  await expect(ask({ guidance: -1 })).rejects.toThrow("bad guidance");
  await expect(ask({ scales: 4 })).rejects.toThrow("bad number of scales");
  const predictor = await ask({ scales: 1 });
  await expect(predictor.predict(blank(1, L), { start: 0, end: 2 }, 0)).rejects.toThrow("the span is no scale");
  await expect(predictor.predict(blank(2, L), scales[0], 0)).rejects.toThrow(/expected 1 rows/);
  await expect(predictor.predict(blank(1, L), scales[1], 0)).rejects.toThrow("more scales were asked for");
  await expect(maps.input(blank(1, L), 1)).rejects.toThrow("no such image token");
  await expect(maps.input(blank(1, 15), 1)).rejects.toThrow("1 rows of 14 tokens");
});
