/** Names of files made from prompts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { at, work } from "../../test/cli.ts";
import { outputPaths, slug } from "./shell/output.ts";

test.each([
  ["A red car!", "a-red-car"],
  ['  two/red\\cars: <x>|*?" ', "two-red-cars-x"],
  ["ein grüner Käfer", "ein-grüner-käfer"],
  ["赤い車", "赤い車"],
  ["", "picture"],
  ["...", "picture"],
  ["CON", "picture-con"],
  ["lpt1", "picture-lpt1"],
  ["x".repeat(300), "x".repeat(48)],
  ["word ".repeat(50), "word-word-word-word-word-word-word-word-word"],
])("%j is named %s", (text, name) => {
  expect(slug(text)).toBe(name);
});

test("names that are taken get a number, also among the new ones", async () => {
  writeFileSync(at("cat-2.png"), "");
  expect(await outputPaths(work, "cat", 3)).toEqual(["cat.png", "cat-3.png", "cat-4.png"].map((n) => join(work, n)));
});

test("a file that was asked for is taken as it is, numbered when there are several", async () => {
  writeFileSync(at("cat.webp"), "");
  expect(await outputPaths(at("cat.webp"), "dog", 1)).toEqual([at("cat.webp")]);
  expect(await outputPaths(at("cat.webp"), "dog", 2)).toEqual([at("cat-1.webp"), at("cat-2.webp")]);
  await expect(outputPaths(at("none/"), "dog", 1)).rejects.toThrow(/folder does not exist/);
  await expect(outputPaths(at("cat"), "dog", 1)).rejects.toThrow(/expected a name ending in/);
});
