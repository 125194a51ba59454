/** Recorded trajectories say what the decoders did, and files give back what was put into them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { uniformAt } from "../base/index.ts";
import { argmax, blank, canvasOf, collect, decodeJacobi, type Predictor } from "../decode/index.ts";
import {
  collectTrajectories,
  imagePair,
  imagePoints,
  imageTrajectory,
  pictureAt,
  pictureCodec,
  readTrajectories,
  recordPictures,
  recordText,
  textCodec,
} from "./index.ts";

const [V, N, passes] = [5, 9, 6];
const hash = (...xs: number[]) => xs.reduce((h, x) => uniformAt(Math.floor(h * 2 ** 24), x), 0.5);

/** What it says of a cell depends on how many cells it sees decided. */
const teacher = (rows: number): Predictor => ({
  vocab: V,
  settle() {},
  predict: async ({ ids_BL }) =>
    Float32Array.from({ length: rows * N * V }, (_, i) => {
      const row = Math.floor(i / N / V);
      const seen = ids_BL.subarray(row * N, (row + 1) * N).filter((id) => id >= 0).length;
      return 4 * hash(row, Math.floor(i / V), i % V, seen);
    }),
});
const prompts = [[1, 2], [3]];
const record = (labels = V) => recordPictures(teacher(2), prompts, N, { passes, labels });

test("every state and every label of a trajectory can be had from its record", async () => {
  const recorded = await record();
  const states = await collect(imageTrajectory(teacher(2), blank(2, N), { passes }));
  for (const [step, { seen }] of states.entries())
    expect(recorded.flatMap((trajectory) => [...pictureAt(trajectory, step)])).toEqual([...seen.ids_BL]);
  expect(recorded.map(({ prompt }) => prompt)).toEqual(prompts);

  for (const [step, segments] of [
    [0, 3],
    [1, 3],
    [3, 2],
    [5, 1],
  ]) {
    const pair = await imagePair(imageTrajectory(teacher(2), blank(2, N), { passes }), teacher(2), {
      passes,
      segments,
      step,
    });
    const points = imagePoints(
      recorded.map((trajectory) => ({ trajectory, step })),
      V,
      { passes, segments, consistency: "end" },
    );
    expect(points.from).toEqual(pair.from);
    expect(points.targets).toEqual(pair.to);
    expect([...points.takes]).toEqual(Array.from(pair.to.ids_BL, (id) => Number(id < 0)));
    for (const [i, p] of pair.teacher_BLV.entries()) expect(points.teacher_BLV[i]).toBeCloseTo(p, 6);
  }
});

test("drawn with noise, the seed of a prompt decides, and cells are decided once all the same", async () => {
  const same = [[1], [2]];
  const alike: Predictor = {
    ...teacher(1),
    predict: async (canvas) => {
      const one = await teacher(1).predict(canvasOf(1, N, new Int32Array(N).fill(-1)), { start: 0, end: N }, 0);
      return Float32Array.from({ length: canvas.rows * one.length }, (_, i) => one[i % one.length]);
    },
  };
  const draw = (seeds: number[], temperature?: number) =>
    recordPictures(alike, same, N, { passes, labels: V, seeds, temperature });
  const [a, b] = await draw([7, 7]);
  expect([a.ids_L, a.decided_L]).toEqual([b.ids_L, b.decided_L]);
  const [, other] = await draw([7, 8]);
  expect([other.ids_L, other.decided_L]).not.toEqual([a.ids_L, a.decided_L]);
  expect((await draw([7, 8], 1))[0].decided_L).toEqual(a.decided_L);
  expect((await draw([7, 8], 50))[0].decided_L).not.toEqual(a.decided_L);
  const counts = Array.from({ length: passes }, (_, step) => a.decided_L.filter((at) => at >= step).length);
  // floor(9 cos(pi t / 2)) cells are open before each step.
  expect(counts).toEqual([9, 8, 7, 6, 4, 2]);
  expect([...a.ids_L].every((id) => id >= 0)).toBe(true);
});

test("where all open cells count, each takes the state in which it was last seen open", async () => {
  const recorded = await record();
  const options = { passes, segments: 2, consistency: "current" } as const;
  const points = imagePoints([{ trajectory: recorded[0], step: 1 }], V, options);
  expect(points.targets.rows).toBe(3);
  // The segment of step 1 ends at step 3: states 2 and 3, and the last one is of no use.
  for (const [cell, decided] of recorded[0].decided_L.entries()) {
    const want = decided < 2 ? [] : [decided < 3 ? 0 : 1];
    expect([0, 1, 2].filter((i) => points.takes[i * N + cell])).toEqual(want);
  }
});

test("of a distribution the most likely ids are kept, with shares that sum to 1", async () => {
  const [all, few] = [await record(), await record(2)];
  const open = few[0].decided_L.reduce((n, step) => n + step + 1, 0);
  expect(few[0].labelIds.length).toBe(2 * open);
  for (let i = 0; i < open; i++) {
    const p = all[0].labelShares.subarray(i * V, (i + 1) * V);
    const ids = [...all[0].labelIds.subarray(i * V, (i + 1) * V)];
    const ranked = ids.toSorted((a, b) => p[ids.indexOf(b)] - p[ids.indexOf(a)]).slice(0, 2);
    expect([...few[0].labelIds.subarray(2 * i, 2 * i + 2)].sort()).toEqual(ranked.sort());
    expect(few[0].labelShares[2 * i] + few[0].labelShares[2 * i + 1]).toBeCloseTo(1, 6);
  }
});

/** Says its slot modulo 7, but 9 (the end) in slot 20; a slot is wrong until the one before it is right. */
const writer: Predictor = {
  vocab: 10,
  settle() {},
  predict: async ({ ids_BL }, { start, end }) => {
    const right = (slot: number) => (slot === 20 ? 9 : slot % 7);
    return Float32Array.from({ length: (end - start) * 10 }, (_, i) => {
      const slot = start + Math.floor(i / 10);
      const sure = slot % 4 === 0 || ids_BL[slot - 1] === right(slot - 1);
      return Number(i % 10 === (sure ? right(slot) : 8));
    });
  },
};

test("rounds of a text become trajectories, cut behind the end", async () => {
  const states = decodeJacobi(writer, blank(1, 64), { block: 8, sample: argmax, stopId: 9 });
  const rounds = await recordText(states, [5, 5, 5]);
  expect(rounds.map(({ prompt }) => prompt.length)).toEqual([3, 11, 19]);
  expect(rounds.map(({ asked }) => asked)).toEqual([3, 3, 3]);
  expect(rounds.map(({ points }) => points[0].length)).toEqual([8, 8, 5]);
  for (const { points } of rounds) expect(points.length).toBeGreaterThan(2);
  expect(rounds[2].points.at(-1)).toEqual([2, 3, 4, 5, 9]);
  expect(rounds[1].prompt.slice(3)).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
});

const root = mkdtempSync(join(tmpdir(), "fewstep-trajectories-"));
afterAll(() => rmSync(root, { recursive: true }));
const pictures = (folder: string, origin: Record<string, number> = { seed: 1 }) => ({
  folder: join(root, folder),
  codec: pictureCodec(N, passes, V),
  origin,
  count: 5,
  chunk: 2,
});

test("several processes fill a folder, and what is there is not made again", async () => {
  const recorded = await record();
  const asked: number[] = [];
  const make = async (first: number, count: number) => {
    asked.push(first);
    return Array.from({ length: count }, (_, i) => recorded[(first + i) % 2]);
  };
  const collection = pictures("shared");
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  const cut = collectTrajectories(collection, make, { part: 1, parts: 2, signal: stop.signal, onProgress });
  await expect(cut).rejects.toMatchObject({ code: "ABORTED" });
  expect(asked).toEqual([2]);
  await collectTrajectories(collection, make, { part: 0, parts: 2 });
  expect(asked).toEqual([2, 0, 4]);
  expect(readdirSync(collection.folder).length).toBe(3);
  const read = readTrajectories(collection);
  expect(read.map(({ prompt }) => prompt.length)).toEqual([2, 1, 2, 1, 2]);
  for (const [i, trajectory] of read.entries()) {
    const { labelShares, ...rest } = recorded[i % 2];
    expect(trajectory).toMatchObject(rest);
    for (const [at, share] of labelShares.entries()) expect(trajectory.labelShares[at]).toBeCloseTo(share, 3);
  }
});

test("texts come back as they were", async () => {
  const texts = [
    {
      prompt: [1, 2, 3],
      asked: 2,
      points: [
        [4, 5],
        [4, 6],
      ],
    },
    { prompt: [7], asked: 1, points: [[1], [2], [3]] },
  ];
  const collection = { ...pictures("texts"), codec: textCodec(10), count: 2 };
  await collectTrajectories(collection, async () => texts);
  expect(readTrajectories(collection)).toEqual(texts);
  const narrow = { ...collection, codec: textCodec(7) };
  expect(() => readTrajectories(narrow)).toThrow(/contradict/);
});

test("files of another origin, cut short or of impossible content are refused", async () => {
  const recorded = await record();
  const collection = { ...pictures("bad"), count: 2 };
  await collectTrajectories(collection, async () => recorded);
  expect(() => readTrajectories({ ...collection, origin: { seed: 2 } })).toThrow(
    /made otherwise\n.*"seed":2[\s\S]*"seed":1/,
  );
  expect(() => readTrajectories({ ...collection, codec: pictureCodec(N, 2, V) })).toThrow(/contradict/);
  expect(() => readTrajectories({ ...collection, codec: pictureCodec(N, passes, 2) })).toThrow(/contradict/);
  const path = join(collection.folder, readdirSync(collection.folder)[0]);
  writeFileSync(path, readFileSync(path).subarray(0, -3));
  expect(() => readTrajectories(collection)).toThrow(expect.objectContaining({ code: "BAD_FILE" }));
  expect(existsSync(path)).toBe(true);
});
