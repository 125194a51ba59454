import { expect, test } from "vitest";
import type { Detection } from "../models/detector/index.ts";
import { DOMAINS, parseFacts, type Task } from "../scenes/index.ts";
import { judge, liesTo } from "./judge.ts";

const thresholds = { present: 0.3, counted: 0.6 };
/** A box of 20 pixels around a centre. */
const box = (name: string, x: number, y: number, color: string | null = null, score = 0.9): Detection => ({
  ...{ class: name, score, color, width: 20, height: 20 },
  x: x - 10,
  y: y - 10,
});
const right = (task: Task, prompt: string, ...found: Detection[]) =>
  judge(task, parseFacts(prompt, DOMAINS.full)!, found, thresholds).right;

test("one object is enough, whatever else is there, if its score is above the threshold", () => {
  const ask = (...found: Detection[]) => right("single_object", "a photo of a dog", ...found);
  expect(ask()).toBe(false);
  expect(ask(box("cat", 20, 20))).toBe(false);
  expect(ask(box("dog", 20, 20), box("dog", 40, 40), box("cat", 5, 5))).toBe(true);
  expect(ask(box("dog", 20, 20, null, 0.3))).toBe(false);
  expect(ask(box("dog", 20, 20, null, 0.31))).toBe(true);
});

test("two objects need both", () => {
  const ask = (...found: Detection[]) => right("two_object", "a photo of a dog and a cat", ...found);
  expect(ask(box("dog", 20, 20), box("cat", 44, 44))).toBe(true);
  expect(ask(box("dog", 20, 20), box("dog", 44, 44))).toBe(false);
});

test("counted objects are exactly as many, with the higher threshold", () => {
  const dogs = (...scores: number[]) => scores.map((score, i) => box("dog", 10 * i, 10, null, score));
  const ask = (...found: Detection[]) => right("counting", "a photo of three dogs", ...found);
  expect(ask(...dogs(0.9, 0.9, 0.9))).toBe(true);
  expect(ask(...dogs(0.9, 0.9))).toBe(false);
  expect(ask(...dogs(0.9, 0.9, 0.9, 0.9))).toBe(false);
  // Too unsure to be counted, though sure enough to be there.
  expect(ask(...dogs(0.9, 0.9, 0.9, 0.5))).toBe(true);
  expect(ask(...dogs(0.9, 0.9, 0.5))).toBe(false);
  // Where nothing is counted more of them do no harm.
  expect(right("single_object", "a dog", ...dogs(0.9, 0.9))).toBe(true);
});

test("the surest object of the class must have the colour", () => {
  const ask = (...found: Detection[]) => right("colors", "a photo of a red car", ...found);
  expect(ask(box("car", 20, 20, "red"))).toBe(true);
  expect(ask(box("car", 20, 20, "blue"), box("car", 44, 44, "red", 0.8))).toBe(false);
  expect(ask(box("car", 20, 20, null))).toBe(false);
  expect(ask(box("bus", 20, 20, "red"))).toBe(false);
});

test("each object has its own colour", () => {
  const ask = (...found: Detection[]) => right("color_attr", "a photo of a red car and a blue bird", ...found);
  expect(ask(box("car", 20, 20, "red"), box("bird", 44, 44, "blue"))).toBe(true);
  expect(ask(box("car", 20, 20, "blue"), box("bird", 44, 44, "red"))).toBe(false);
  expect(ask(box("car", 20, 20, "red"), box("bird", 44, 44, "red"))).toBe(false);
});

test("places are told by centres, from either side", () => {
  const place = (side: string, ...found: Detection[]) => right("position", `a photo of a dog ${side} a cat`, ...found);
  const [dog, cat] = [box("dog", 16, 32), box("cat", 48, 32)];
  expect(place("left of", dog, cat)).toBe(true);
  for (const side of ["right of", "above", "below"]) expect(place(side, dog, cat), side).toBe(false);
  expect(place("below", box("dog", 30, 50), box("cat", 32, 14))).toBe(true);
  expect(place("left of", dog)).toBe(false);
});

test("centres closer than a tenth of both sizes lie nowhere; a diagonal lies both ways", () => {
  const a = box("dog", 32, 32);
  // The margin is 0.1 * (20 + 20) = 4 pixels.
  expect(liesTo(a, box("cat", 36, 32))).toEqual([]);
  // 9 pixels leave 5 of 9, more than half; 7 leave 3 of 7.
  expect(liesTo(a, box("cat", 41, 32))).toEqual(["left of"]);
  expect(liesTo(a, box("cat", 39, 32))).toEqual([]);
  expect(liesTo(a, box("cat", 12, 12))).toEqual(["right of", "below"]);
  expect(liesTo(a, a)).toEqual([]);
});
