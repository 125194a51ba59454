import { expect, test } from "vitest";
import { cider } from "./cider.ts";

test("CIDEr-D of the example that the aac-metrics package publishes", () => {
  const { ciderD, each } = cider(
    ["a man is speaking", "rain falls"],
    [
      ["a man speaks.", "someone speaks.", "a man is speaking while a bird is chirping in the background"],
      ["rain is falling hard on a surface"],
    ],
  );
  expect(ciderD).toBeCloseTo(0.9614, 4);
  expect(each[0].ciderD).toBeCloseTo(1.3641, 4);
  expect(each[1].ciderD).toBeCloseTo(0.5587, 4);
});

test("by hand: words of one picture alone weigh ln 2, words of both nothing", () => {
  // Unigrams: only "dog" and "cat" count. Bigrams: "a dog" and "a cat". There are no longer ones.
  const same = cider(["a dog", "a cat"], [["a dog"], ["a cat"]]);
  // Cosine 1 for n = 1 and 2 of 4, times 10.
  expect(same.cider).toBeCloseTo(5, 10);
  expect(same.ciderD).toBeCloseTo(5, 10);
  const exchanged = cider(["a cat", "a dog"], [["a dog"], ["a cat"]]);
  expect(exchanged.cider).toBe(0);
});

test("repeating a word raises CIDEr's weight of it but not CIDEr-D's, which also punishes length", () => {
  const references = [["red dog"], ["a cat"]];
  const [plain] = cider(["red dog", "a cat"], references).each;
  const [longer] = cider(["red dog dog dog", "a cat"], references).each;
  // n = 1: (1, 3) against (1, 1): cosine 4 / sqrt(20). n = 2: "red dog" twice nothing more: 1 / sqrt(1 + 2^2).
  const [one, two] = [4 / Math.sqrt(20), 1 / Math.sqrt(5)];
  expect(longer.cider).toBeCloseTo(10 * ((one + two) / 4), 10);
  // Clipped to the reference's counts; 2 words too long: exp(-4 / 72).
  expect(longer.ciderD).toBeCloseTo(10 * ((2 / Math.sqrt(20) + two) / 4) * Math.exp(-4 / 72), 10);
  expect(plain.ciderD).toBeCloseTo(5, 10);
});

test("case and punctuation do not matter; lists must fit", () => {
  expect(cider(["A Dog!", "a cat"], [["a dog."], ["a cat"]]).cider).toBeCloseTo(5, 10);
  expect(() => cider(["a"], [])).toThrow(/references for each candidate/);
  expect(() => cider(["a"], [[]])).toThrow(/references for each candidate/);
});
