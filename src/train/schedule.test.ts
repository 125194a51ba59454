/** Exact rates. */
import { expect, test } from "vitest";
import { checkSchedule, learningRate, type Schedule } from "./schedule.ts";

const rates = (schedule: Schedule, steps: number) =>
  Array.from({ length: steps }, (_, step) => Number(learningRate(schedule, step, steps).toFixed(6)));

test("warm-up reaches the peak, then each kind goes its way to the floor", () => {
  expect(rates({ kind: "constant", peak: 2, warmup: 4 }, 6)).toEqual([0.5, 1, 1.5, 2, 2, 2]);
  expect(rates({ kind: "linear", peak: 3, warmup: 2, floor: 1 }, 7)).toEqual([1.5, 3, 3, 2.5, 2, 1.5, 1]);
  expect(rates({ kind: "cosine", peak: 1 }, 5)).toEqual([1, 0.853553, 0.5, 0.146447, 0]);
  expect(rates({ kind: "linear", peak: 1 }, 1)).toEqual([1]);
});

test("schedules that cannot be followed are refused", () => {
  for (const bad of [{ peak: 0 }, { peak: Number.NaN }, { floor: 2 }, { warmup: 11 }, { warmup: 1.5 }])
    expect(() => checkSchedule({ kind: "cosine", peak: 1, ...bad }, 10)).toThrow(/learning-rate schedule/);
  expect(() => checkSchedule({ kind: "step" as "linear", peak: 1 }, 10)).toThrow(/constant, linear or cosine/);
  checkSchedule({ kind: "cosine", peak: 1, floor: 0.1, warmup: 10 }, 10);
});
