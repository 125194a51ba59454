/** What is decided from costs, on numbers that can be checked by hand. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tinyParts } from "../../test/tiny-model.ts";
import { betweenPoints } from "./costs.ts";
import { checkMemory, estimateMemory } from "./memory.ts";
import { readPlan, writePlan } from "./plan.ts";
import { bestWindow, breakEven, fewRowsOf, geometricSettled, passCosts } from "./windows.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-plan-"));
const before = process.env.FEWSTEP_HOME;
process.env.FEWSTEP_HOME = root;
afterAll(() => {
  if (before === undefined) delete process.env.FEWSTEP_HOME;
  else process.env.FEWSTEP_HOME = before;
  rmSync(root, { recursive: true });
});

const q8 = { 1: 60, 2: 66, 4: 70, 8: 92, 16: 121, 32: 187, 64: 312 };
const q4 = { 1: 38, 2: 49, 4: 69, 8: 110, 16: 156, 32: 290, 64: 532 };

test("the smaller weights run few tokens, up to the last window at which they are faster", () => {
  expect(fewRowsOf(q8, q4)).toBe(4);
  expect(fewRowsOf(q4, q8)).toBe(64);
  expect(passCosts({ fewRows: 4, costs: { q8, q4 } }, ["q8", "q4"])).toEqual({ ...q8, 1: 38, 2: 49, 4: 69 });
});

test("the window with the most settled tokens a millisecond", () => {
  expect(geometricSettled(0.5)(3)).toBe(1.75);
  expect(geometricSettled(1)(8)).toBe(8);
  expect(bestWindow(q8, geometricSettled(0))).toBe(1);
  expect(bestWindow(q8, geometricSettled(0.34))).toBe(4); // 1.49 / 70 beats 1.34 / 66 and 1.51 / 92
  expect(bestWindow(q8, geometricSettled(1))).toBe(64);
  expect(breakEven(q8, 16)).toBeCloseTo(121 / 60);
});

test("costs between measured windows lie on straight lines", () => {
  const cost = betweenPoints(q8);
  expect([1, 3, 4, 12, 64, 128].map(cost)).toEqual([60, 68, 70, 106.5, 312, 562]);
});

test("plans are kept for the model and its dtypes", async () => {
  const plan = { fewRows: 4, textBlock: 2, costs: { q8, q4 } };
  await writePlan("/models/a", ["q8", "q4"], plan);
  expect(readPlan("/models/a", ["q8", "q4"])).toEqual(plan);
  expect(readPlan("/models/a", ["q8"])).toBeUndefined();
});

test("a model that does not fit is refused with what would", () => {
  const folder = mkdtempSync(join(root, "model-"));
  writeFileSync(join(folder, "x"), "");
  const estimate = estimateMemory(folder, tinyParts().config.showo, ["q8"], 32);
  expect(estimate.weights).toBe(0);
  expect(estimate.total).toBeGreaterThan(estimate.working);
  expect(() => checkMemory("model", estimate, undefined)).not.toThrow();
  expect(() => checkMemory("model", { ...estimate, total: 1e15 }, "q4")).toThrow(
    /1000000\.00 GB available.*Load it as q4/s,
  );
});
