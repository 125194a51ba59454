import { expect, test } from "vitest";
import { clusteredShare, meanOfShares, shareOf, Tally } from "./interval.ts";

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

test("trials that succeed together tell less: ten groups of four count as ten trials", () => {
  const groups = Array.from({ length: 10 }, (_, i) => ({ right: i < 5 ? 4 : 0, of: 4 }));
  const share = clusteredShare(groups);
  expect(share).toMatchObject({ right: 20, of: 40, share: 0.5 });
  // Ratio estimator: variance 40 / 40^2 * 10 / 9, four tenths over nine times the binomial one: 9 effective trials.
  const [low, high] = shareOf(4.5, 9).ci95;
  expect(share.ci95[0]).toBeCloseTo(low, 10);
  expect(share.ci95[1]).toBeCloseTo(high, 10);
});

test("independent trials in groups keep their interval, and so do shares of nought and one", () => {
  const alternate = Array.from({ length: 10 }, () => ({ right: 2, of: 4 }));
  expect(clusteredShare(alternate)).toEqual(shareOf(20, 40));
  expect(clusteredShare([{ right: 4, of: 4 }])).toEqual(shareOf(4, 4));
});

test("a mean of shares counts them alike, and its interval is narrower than theirs", () => {
  const { average, ci95 } = meanOfShares([shareOf(10, 10), shareOf(0, 100)]);
  expect(average).toBe(0.5);
  const [first, second] = [shareOf(10, 10).ci95, shareOf(0, 100).ci95];
  expect(ci95[0]).toBeCloseTo(0.5 - (1 - first[0]) / 2, 12);
  expect(ci95[1]).toBeCloseTo(0.5 + second[1] / 2, 12);
});
