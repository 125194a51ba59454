import { expect, test } from "vitest";
import { shareOf, Tally } from "./interval.ts";

test("Wilson intervals of known counts", () => {
  const half = shareOf(5, 10);
  expect(half.share).toBe(0.5);
  expect(half.ci95[0]).toBeCloseTo(0.2366, 4);
  expect(half.ci95[1]).toBeCloseTo(0.7634, 4);
  // All right is not certain.
  expect(shareOf(20, 20).ci95[0]).toBeCloseTo(0.8389, 4);
  expect(shareOf(20, 20).ci95[1]).toBe(1);
  expect(shareOf(0, 0)).toEqual({ right: 0, of: 0, share: 0, ci95: [0, 1] });
});

test("tallies add up over names", () => {
  const tally = new Tally<"a" | "b" | "c">();
  tally.add("a", true);
  tally.add("a", false);
  tally.add("b", true);
  expect(tally.share("a", "b")).toMatchObject({ right: 2, of: 3 });
  expect(tally.share("c").of).toBe(0);
});
