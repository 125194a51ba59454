/** The student without guidance that may come before the stages: made, continued, followed, refused. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyData, tinyParts } from "../../test/tiny-model.ts";
import { readLog, readSafetensors } from "../files/index.ts";
import { saveModel } from "../models/index.ts";
import {
  collectStage,
  DISTILL_PRESETS,
  type DistillOptions,
  type DistillProgress,
  distillConfigOf,
  distillModel,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-unguided-"));
const teacher = join(root, "teacher");
const data = join(root, "data");
beforeAll(async () => {
  const { config, ...parts } = tinyParts();
  // Its texts are long in tokens.
  await saveModel(teacher, { ...parts, config: { ...config, showo: { ...config.showo, maxTextTokens: 48 } } });
  await saveTinyData(data);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const unguided = { guidance: 1.5, steps: 12, learningRate: 2e-3, dialogues: 2 };
const configOf = (more: Partial<DistillOptions> = {}) =>
  distillConfigOf({
    ...DISTILL_PRESETS.mini,
    name: "tiny-turbo",
    teacher,
    data: { folder: data },
    unguided,
    stages: [{ passes: 4, guidance: 0, segments: 2, textSegments: 2, steps: 1 }],
    trajectories: { pictures: 4, texts: 4, labels: 8, block: 8 },
    rows: { image: 2, text: 1, lm: 1 },
    ...more,
  });
const every = { log: 1, save: 4, sample: 100 };
const options = (out: string) => ({ out: join(root, out), threads: 1, every });
const bytes = (...path: string[]) => readFileSync(join(root, ...path, "showo.safetensors"));

test("comes first and teaches the first stage", {
  timeout: 180_000,
}, async () => {
  const part = { part: 0, parts: 1 };
  await expect(collectStage(configOf(), { ...options("whole"), ...part })).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringMatching(/nobody to follow yet/),
  });
  const stages = new Set<number>();
  const model = await distillModel(configOf(), {
    ...options("whole"),
    onProgress: ({ stage }) => stages.add(stage),
  });
  expect([...stages]).toEqual([0, 1]);
  const records = readLog(join(root, "whole", "unguided", "run", "metrics.jsonl"));
  expect(records).toHaveLength(12);
  for (const { divergence, t2i, mmu } of records)
    for (const value of [divergence, t2i, mmu]) expect(value).toBeGreaterThan(0.01);

  // The packed student is the student alone, and what the first stage starts from.
  const names = (path: string) => readSafetensors(path).names;
  expect(names(join(root, "whole", "unguided", "model", "showo.safetensors"))).toEqual(
    names(join(teacher, "showo.safetensors")),
  );
  expect(bytes("whole", "unguided", "model").equals(bytes("teacher"))).toBe(false);
  // One step at a small rate moves little.
  const weights = (folder: string) =>
    readSafetensors(join(folder, "showo.safetensors")).float32("showo.lm_head.weight");
  const [start, end] = [weights(join(root, "whole", "unguided", "model")), weights(model)].map(({ data }) => data);
  expect(Math.max(...start.map((x, i) => Math.abs(x - end[i])))).toBeLessThan(5e-3);
});

test("stopped and continued it ends with the same bytes; other settings are refused", {
  timeout: 180_000,
}, async () => {
  const stop = new AbortController();
  const onProgress = ({ stage, training }: DistillProgress) => {
    if (stage === 0 && training?.step === 6) stop.abort();
  };
  const stopped = distillModel(configOf(), { ...options("again"), signal: stop.signal, onProgress });
  await expect(stopped).rejects.toMatchObject({ code: "ABORTED" });
  expect(existsSync(join(root, "again", "unguided", "model"))).toBe(false);
  await distillModel(configOf(), options("again"));
  for (const folder of ["unguided", "stage-1"])
    expect(bytes("again", folder, "model").equals(bytes("whole", folder, "model"))).toBe(true);
  const other = configOf({ unguided: { ...unguided, guidance: 2 } });
  await expect(distillModel(other, options("again"))).rejects.toThrow(/other settings\n.*unguided\.guidance = 1\.5/);
  expect(configOf({ unguided: { ...unguided, steps: 0 } }).unguided!.steps).toBe(0);
  expect(() => configOf({ unguided: { ...unguided, learningRate: -1 } })).toThrow(/unguided, learningRate/);
});

test("a stage goes on with states of the student's own pictures, and is told what does not fit", {
  timeout: 180_000,
}, async () => {
  const followed = { rows: 1, steps: [0, 2] };
  const stage = { passes: 4, guidance: 0, segments: 1, textSegments: 1, steps: 3 };
  const config = (more: object = followed) =>
    configOf({
      unguided: { ...unguided, steps: 0 },
      stages: [
        { ...stage, followed: more },
        { ...stage, followed },
      ],
    } as object);
  const stages = new Set<string>();
  const onProgress = ({ stage, collecting }: DistillProgress) =>
    stages.add(`${stage} ${collecting?.what ?? "training"}`);
  const model = await distillModel(config(), { ...options("followed"), onProgress });
  expect(model).toBe(join(root, "followed", "stage-2", "model"));
  expect([...stages]).toEqual(["1 pictures", "1 training", "2 pictures", "2 training"]);
  const records = readLog(join(root, "followed", "stage-1", "run", "metrics.jsonl"));
  expect(records).toHaveLength(3);
  for (const { divergence, t2i, mmu } of records)
    for (const value of [divergence, t2i, mmu]) expect(value).toBeGreaterThan(0.01);
  const [start, first, second] = [["teacher"], ["followed", "stage-1", "model"], ["followed", "stage-2", "model"]];
  expect(bytes(...first).equals(bytes(...start))).toBe(false);
  expect(bytes(...second).equals(bytes(...first))).toBe(false);
  // The second stage follows the first one's student.
  const followedBy = (run: string, stage: string) => {
    const file = readSafetensors(join(root, run, stage, "trajectories", "pictures-000000.safetensors"));
    return JSON.parse(file.metadata.origin).teacher;
  };
  const origins = ["stage-1", "stage-2"].map((folder) => followedBy("followed", folder));
  expect(origins[0]).not.toBe(origins[1]);
  // The teacher's pictures, with guidance, for a student that already does without.
  const led = configOf({ stages: [{ ...stage, guidance: 1.5, followed: { ...followed, by: "teacher" } }] } as object);
  await distillModel(led, options("led"));
  expect(bytes("led", "stage-1", "model").equals(bytes("led", "unguided", "model"))).toBe(false);
  expect(followedBy("led", "stage-1")).toBe(origins[0]);

  expect(() => config({ rows: 3, steps: [0] })).toThrow(/too many rows are states[\s\S]*at most 2/);
  expect(() => config({ rows: 1, steps: [4] })).toThrow(/no such step[\s\S]*0 to 3/);
  const other = (more: object) => configOf({ stages: [{ ...stage, followed }], ...more } as object);
  expect(() => other({ trajectories: { from: "teacher" } })).toThrow(/collected ahead/);
  expect(() => distillConfigOf({ name: "x", teacher, stages: [{ ...stage, followed }] }, "paper-256")).toThrow(
    /settings of `unguided`/,
  );
});

test("by command", { timeout: 180_000 }, async () => {
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const file = join(root, "settings.json");
  writeFileSync(file, JSON.stringify(configOf()));
  const argv = [main, "distill", file, "--out", join(root, "by-command"), "--unguided", "2", "--threads", "1"];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
  expect(stdout).toBe(`${join(root, "by-command", "stage-1", "model")}\n`);
  expect(stderr).toMatch(/without guidance {2}2\/2 {2}loss[\s\S]*stage 1\/1 {2}1\/1 {2}loss/);
});
