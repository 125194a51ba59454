/** fewstep eval on the tiny model, which can do nothing: what is printed, kept and refused. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { at, tiny } from "../../test/cli.ts";

const prompts = () => {
  writeFileSync(
    at("prompts.tsv"),
    "single_object\ta photo of a dog\ncolors\ta red car\ncolors\ta photo of a unicorn\n",
  );
  return ["--prompts", at("prompts.tsv"), "--per-prompt", "2", "--seed", "3", "--steps", "2", "--guidance", "0"];
};

test("eval geneval prints one object: scores, ceilings, what was not scored, how it was made", async () => {
  const ended = await tiny("eval", "geneval", ...prompts(), "--top-k", "9", "--json", "--record", at("kept.jsonl"));
  expect(ended).toMatchObject({ code: 0, err: "" });
  const report = JSON.parse(ended.out);
  expect(report).toMatchObject({
    ...{ average: 0, images: 4, tasks: { single_object: 0, colors: 0 }, prompts: 2 },
    ceiling: { average: 1, images: 4 },
    tokenizerCeiling: { average: 0 },
    unscored: [{ task: "colors", prompt: "a photo of a unicorn" }],
    config: { scenes: "quarters", perPrompt: 2, seed: 3, steps: 2, guidance: 0, topK: 9 },
  });
  expect(report.ci95[0]).toBe(0);
  expect(report.config.modelHash).toMatch(/^[0-9a-f]{16}$/);
  expect(report.machine).toContain("Node v");
  // Tokens of every picture are kept, and nothing is drawn again.
  const lines = readFileSync(at("kept.jsonl"), "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).entry?.tokens.length)).toEqual([undefined, 2, 2]);
  const again = await tiny("eval", "geneval", ...prompts(), "--top-k", "9", "--json", "--record", at("kept.jsonl"));
  expect(JSON.parse(again.out)).toEqual(report);
  const other = await tiny("eval", "geneval", ...prompts(), "--json", "--record", at("kept.jsonl"));
  expect(other).toMatchObject({ code: 1, out: "" });
  expect(other.err).toContain("this file records another measurement");
});

test("eval geneval for people: a line for each task, the average, what was left out", async () => {
  const { code, out, err } = await tiny("eval", "geneval", ...prompts(), "--scenes", "medium");
  expect(code).toBe(0);
  expect(err).toBe(
    "fewstep: warning: the detector was trained on easy scenes; the ceiling says how far it can judge medium ones\n",
  );
  expect(out).toMatch(/^single_object +0\.0 % \(0\.0 to \d\d\.\d\) +0\.0 % +\d+\.0 %$/m);
  expect(out).toMatch(/^average +0\.0 %/m);
  expect(out).toContain('1 prompts not scored, such as "a photo of a unicorn"');
});

test("eval captions prints one object, and token by token is the same text", async () => {
  const ended = await tiny("eval", "captions", "--images", "2", "--seed", "4", "--json");
  expect(ended).toMatchObject({ code: 0, err: "" });
  const report = JSON.parse(ended.out);
  expect(report).toMatchObject({ images: 2, facts: 0, identicalToAutoregressive: 1, decoding: "jacobi" });
  for (const name of ["cider", "ciderD", "tokensPerSecond", "tokensPerPass", "slotsPerToken", "yesNo", "oneWord"])
    expect(report[name], name).toBeGreaterThanOrEqual(0);
  expect(report.slotsPerToken).toBeGreaterThan(1);
  expect(Object.keys(report.pope)).toEqual(["random", "popular", "adversarial"]);
  expect(report.pope.random.accuracy.of).toBeGreaterThanOrEqual(4);
});

test("what cannot be measured is refused before anything is", async () => {
  const none = await tiny("eval", "geneval", "--prompts", at("none.tsv"));
  expect(none).toMatchObject({ code: 1, out: "" });
  expect(none.err).toContain("the prompts cannot be read");
  writeFileSync(at("bad.tsv"), "colours\ta red car\n");
  expect((await tiny("eval", "geneval", "--prompts", at("bad.tsv"))).err).toContain("bad.tsv:1");
  expect((await tiny("eval", "geneval", ...prompts(), "--per-prompt", "0")).err).toContain("perPrompt");
  expect((await tiny("eval", "geneval", ...prompts(), "--steps", "0")).err).toContain("steps");
  expect((await tiny("eval", "captions", "--images", "0")).code).toBe(1);
});
