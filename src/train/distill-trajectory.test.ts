/** What is learnt at a point of a trajectory, on canvases small enough to check by eye. */
import { expect, test } from "vitest";
import { blank, canvasOf, collect, type Predictor } from "../decode/index.ts";
import {
  comparedPositions,
  distributionTable,
  imagePair,
  imageTrajectory,
  textLabels,
  textPair,
} from "./distill-trajectory.ts";

/** Sure of id `cell % 2`, and surer of earlier cells; `lift` makes every pass surer than the last one. */
function model(slots: number, lift = 0): Predictor & { passes: number } {
  return {
    vocab: 2,
    passes: 0,
    settle() {},
    async predict({ rows }) {
      const sureness = 1 + lift * this.passes++;
      return Float32Array.from({ length: rows * slots * 2 }, (_, i) => {
        const cell = Math.floor(i / 2) % slots;
        return i % 2 === cell % 2 ? sureness + (slots - cell) / slots : 0;
      });
    },
  };
}
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

test("a trajectory is greedy, opens the least sure cells again and leaves nothing masked", async () => {
  const run = await collect(imageTrajectory(model(4), blank(1, 4), { passes: 4, schedule: "linear" }));
  expect(run.map(({ seen }) => [...seen.ids_BL])).toEqual([
    [-1, -1, -1, -1],
    [0, -1, -1, -1],
    [0, 1, -1, -1],
    [0, 1, 0, -1],
  ]);
  expect([...run[3].remasked.ids_BL]).toEqual([0, 1, 0, 1]);
});

test("a table keeps what was said of a cell when it was last open", () => {
  const table = distributionTable(blank(1, 2), 2);
  table.record(canvasOf(1, 2, Int32Array.of(-1, 1)), Float32Array.of(0, 0, 5, 5));
  expect([...table.values_BLV]).toEqual([0.5, 0.5, 0, 0]);
  table.record(canvasOf(1, 2, Int32Array.of(0, -1)), Float32Array.of(7, 7, 0, Math.log(3)));
  expect([...table.values_BLV.map((x) => Math.round(x * 1e6) / 1e6)]).toEqual([0.5, 0.5, 0.25, 0.75]);
});

test("labels of a segment come from the step at which each cell was last open, and the walk ends there", async () => {
  const [teacher, student] = [model(4, 1), model(4, 3)];
  const pair = (step: number, since?: number) =>
    imagePair(imageTrajectory(teacher, blank(1, 4), { passes: 4, schedule: "linear" }), student, {
      passes: 4,
      segments: 2,
      step,
      since,
    });
  const { from, to, teacher_BLV, student_BLV } = await pair(1);
  expect([...from.ids_BL]).toEqual([0, -1, -1, -1]);
  expect([...to.ids_BL]).toEqual([0, 1, -1, -1]);
  expect([teacher.passes, student.passes]).toEqual([3, 2]);
  // Cell 0 was decided before step 1, cell 1 at step 1, the others are open at step 2, the end.
  expect([...teacher_BLV.subarray(0, 2)]).toEqual([0, 0]);
  expect(teacher_BLV[3]).toBeCloseTo(sigmoid(2.75), 6);
  expect(teacher_BLV[4]).toBeCloseTo(sigmoid(3.5), 6);
  expect(student_BLV[3]).toBeCloseTo(sigmoid(1.75), 6);
  expect(student_BLV[4]).toBeCloseTo(sigmoid(4.5), 6);

  teacher.passes = 0;
  const whole = await pair(3, 0);
  expect([...whole.to.ids_BL]).toEqual([0, 1, 0, -1]);
  expect(whole.teacher_BLV[0]).toBeCloseTo(sigmoid(2), 6);
});

test("bad segments and steps are refused", async () => {
  const pair = (segments: number, step: number) =>
    imagePair(imageTrajectory(model(4), blank(1, 4), { passes: 4 }), model(4), { passes: 4, segments, step });
  await expect(pair(3, 0)).rejects.toThrow(/a divisor of 4/);
  await expect(pair(2, 4)).rejects.toThrow(/0 to 3/);
});

test("a text's point is paired with the end of its segment", () => {
  const points = [
    [7, 7],
    [8, 7],
    [8, 9],
    [8, 5],
    [8, 6],
  ];
  expect(textPair([1, 2], points, { segments: 2, index: 0 })).toEqual({
    from: [1, 2, 7, 7],
    to: [1, 2, 8, 7],
    last: [1, 2, 8, 6],
  });
  expect(textPair([1], points, { segments: 1, index: 3 }).to).toEqual([1, 8, 6]);
  expect(() => textPair([1], points, { segments: 1, index: 4 })).toThrow(/0 to 3/);
});

test("predictions are compared from the first differing token on, padding left out", () => {
  const pad = 99;
  expect(comparedPositions({ from: [1, 2, 3, 4, 99], to: [1, 2, 5, 4, 6] }, pad)).toEqual([false, true, true, false]);
  expect(comparedPositions({ from: [1, 2, 3], to: [1, 2, 3] }, pad)).toEqual([false, false]);
  expect(comparedPositions({ from: [1, 2], to: [5, 2] }, pad)).toEqual([false]);
});

test("a text is learnt behind the ids that are ignored", () => {
  expect(textLabels([4, 5, 6], 2)).toEqual([-100, -100, 6]);
});
