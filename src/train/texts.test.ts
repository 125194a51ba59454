/** Guesses of answers that a student learns to correct. */
import { expect, test } from "vitest";
import { Rng } from "../base/index.ts";
import { withGuess } from "./texts.ts";

test("a guess has the question, right ids first, and beside right ones only those of question and answer", () => {
  const text = [1, 2, 3, 10, 11, 12, 13, 14, 15];
  const guesses = Array.from({ length: 400 }, (_, i) => withGuess({ text, questionLength: 3 }, 99, new Rng(1, i)));
  for (const { text: learnt, questionLength, seen } of guesses) {
    expect([learnt, questionLength, seen!.length]).toEqual([text, 3, text.length]);
    expect(seen!.slice(0, 3)).toEqual([1, 2, 3]);
    for (const id of seen!) expect([...text, 99]).toContain(id);
  }
  const wrong = guesses.map(({ seen }) => seen!.filter((id, i) => id !== text[i]).length);
  // First guesses have nothing of the answer in them; later ones are all but right.
  const first = guesses.filter(({ seen }) => seen!.slice(3).every((id) => id < 10 || id === 99));
  expect(first.length).toBeGreaterThan(20);
  expect(wrong.filter((n) => n === 1).length).toBeGreaterThan(20);
  expect(Math.max(...wrong)).toBe(6);
  expect(new Set(guesses.map(({ seen }) => seen!.join())).size).toBeGreaterThan(200);
});
