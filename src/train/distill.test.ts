/** Distillation from folder to folder with a tiny model: killed, resumed, collapsed, refused. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyData, saveTinyModel, tinyParts } from "../../test/tiny-model.ts";
import { probabilities } from "../decode/index.ts";
import { readLog, readSafetensors } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import { loadNetworks, saveModel } from "../models/index.ts";
import { imagePredictor } from "../models/showo/index.ts";
import { compile } from "../runtime/index.ts";
import { distillTask, type TrajectorySource } from "./distill-task.ts";
import {
  DISTILL_PRESETS,
  type DistillBatch,
  type DistillOptions,
  type DistillProgress,
  type DistillSettings,
  distillConfigOf,
  distillFeeds,
  distillLosses,
  distillModel,
  imagePoints,
  recordPictures,
} from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-distill-"));
const teacher = join(root, "teacher");
const data = join(root, "data");
beforeAll(async () => {
  await saveTinyModel(teacher);
  await saveTinyData(data);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = (more: Partial<DistillOptions> = {}): DistillOptions => ({
  ...DISTILL_PRESETS.mini,
  name: "tiny-turbo",
  teacher,
  data: { folder: data },
  unguided: { ...DISTILL_PRESETS.mini.unguided, steps: 0 },
  stages: [
    { passes: 4, guidance: 1, segments: 2, textSegments: 2, steps: 6 },
    { passes: 4, guidance: 0, segments: 1, textSegments: 1, steps: 4 },
  ],
  trajectories: { pictures: 6, texts: 6, labels: 8, block: 8 },
  rows: { image: 2, text: 2, lm: 1 },
  ...more,
});
const every = { log: 1, save: 2, sample: 100 };
const run = (out: string, more?: Partial<DistillOptions>, onProgress?: (progress: DistillProgress) => void) =>
  distillModel(distillConfigOf(settings(more)), { out: join(root, out), threads: 1, every, onProgress });
const bytes = (model: string) => readFileSync(join(model, "showo.safetensors"));

/** Runs two stages in a process of its own, from dist/; kills it at a line that `kill` picks. True when it ended by itself. */
function child(out: string, kill?: (line: string) => boolean): Promise<boolean> {
  const script = `
    import { distillConfigOf, distillModel } from ${JSON.stringify(new URL("../../dist/train/index.js", import.meta.url).href)};
    const onProgress = (progress) => console.log(JSON.stringify(progress));
    await distillModel(distillConfigOf(${JSON.stringify(settings())}), { out: ${JSON.stringify(join(root, out))}, threads: 1, every: ${JSON.stringify(every)}, onProgress });
  `;
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "pipe" });
    let errors = "";
    running.stderr.on("data", (text) => (errors += text));
    running.stdout.on(
      "data",
      (text) =>
        String(text)
          .split("\n")
          .some((line) => kill?.(line)) && running.kill("SIGKILL"),
    );
    running.on("exit", (code, signal) => {
      if (code === 0 || signal === "SIGKILL") resolve(code === 0);
      else reject(new Error(errors));
    });
  });
}

test("both stages, killed while collecting and while training, end with the bytes of a run that was not", {
  timeout: 300_000,
}, async () => {
  const seen: DistillProgress[] = [];
  const whole = await run("whole", {}, (progress) => seen.push(progress));
  expect(whole).toBe(join(root, "whole", "stage-2", "model"));
  expect(new Set(seen.map(({ stage, collecting }) => `${stage} ${collecting?.what ?? "training"}`))).toEqual(
    new Set(["1 pictures", "1 texts", "1 training", "2 pictures", "2 texts", "2 training"]),
  );
  expect(await child("killed", (line) => line.includes('"what":"pictures"'))).toBe(false);
  expect(await child("killed", (line) => line.includes('"step":3,'))).toBe(false);
  expect(await child("killed")).toBe(true);
  for (const stage of ["stage-1", "stage-2"])
    expect(bytes(join(root, "killed", stage, "model")).equals(bytes(join(root, "whole", stage, "model")))).toBe(true);

  // What is done stays done, unless other settings are asked for.
  expect(await run("whole")).toBe(whole);
  await expect(run("whole", { consistency: "current" })).rejects.toThrow(/other settings\n.*consistency = "end"/);

  // The second student started from the first one, which had moved.
  const [first, second] = ["stage-1", "stage-2"].map((stage) => bytes(join(root, "whole", stage, "model")));
  expect(first.equals(bytes(teacher))).toBe(false);
  expect(second.equals(first)).toBe(false);
  const { config } = await loadNetworks(whole, { host: "inline", threads: 1 });
  expect(config).toMatchObject({ model: "tiny-turbo", defaults: { steps: 4, guidance: 0 } });
  const [record] = readLog(join(root, "whole", "stage-1", "run", "metrics.jsonl"));
  for (const name of ["imageConsistency", "imageRegularisation", "textConsistency", "textRegularisation", "lm"])
    expect(record[name]).toBeGreaterThanOrEqual(0);
  expect(record.imageDiversity).toBeGreaterThan(0.3);
});

test("the teacher followed at every step, low-rank additions, agreement on all open cells", {
  timeout: 180_000,
}, async () => {
  const model = await run("live", {
    stages: [{ passes: 4, guidance: 1, segments: 2, textSegments: 1, steps: 2 }],
    trajectories: { from: "teacher", labels: 64, block: 8 },
    consistency: "current",
    lora: { rank: 2, alpha: 4, layers: ["q_proj", "fc1"] },
  });
  const [before, after] = [teacher, model].map((folder) => readSafetensors(join(folder, "showo.safetensors")));
  expect(after.names).toEqual(before.names);
  const moved = before.names.filter((name) => after.get(name).data.some((x, i) => x !== before.get(name).data[i]));
  expect(new Set(moved.map((name) => name.split(".").slice(-2).join(".")))).toEqual(
    new Set(["q_proj.weight", "fc1.weight"]),
  );
});

test("another teacher's trajectories, a student of other tokens and bad settings are refused", {
  timeout: 180_000,
}, async () => {
  const stages = [{ passes: 4, guidance: 1, segments: 2, textSegments: 2, steps: 1 }];
  await run("once", { stages });
  rmSync(join(root, "once", "stage-1", "model"), { recursive: true });
  await saveTinyModel(join(root, "another"), 7);
  await expect(run("once", { stages, teacher: join(root, "another") })).rejects.toThrow(/made otherwise/);

  const parts = tinyParts();
  cpSync(teacher, join(root, "strange"), { recursive: true });
  await saveModel(join(root, "strange"), { ...parts, magvit: tinyParts(9).magvit });
  await expect(run("strange-run", { student: join(root, "strange") })).rejects.toThrow(
    /does not fit its teacher[\s\S]*other picture tokenizers \(magvit\.safetensors\)/,
  );
  expect(existsSync(join(root, "strange-run", "stage-1", "trajectories"))).toBe(false);
  const uneven = [{ passes: 4, guidance: 1, segments: 3, textSegments: 1, steps: 1 }];
  expect(() => distillConfigOf(settings({ stages: uneven }))).toThrow(/stages, 0[\s\S]*a divisor of 4/);
  expect(() => distillConfigOf({ name: "x" })).toThrow(/distillation, teacher/);
});

test("presets differ as the paper and its code do", () => {
  const of = (preset: keyof typeof DISTILL_PRESETS) => distillConfigOf({ name: "x", teacher: "y" }, preset);
  expect(of("paper-256").stages.map(({ guidance, segments }) => [guidance, segments])).toEqual([
    [10, 4],
    [1.5, 2],
  ]);
  expect(of("paper-512").stages.map(({ passes, guidance, segments }) => [passes, guidance, segments])).toEqual([
    [32, 15, 8],
    [16, 1.75, 4],
  ]);
  const [small, large] = [of("reference-256"), of("reference-512")];
  expect([small.weights.imageConsistency, large.weights.imageConsistency]).toEqual([0.05, 0]);
  expect([small.learnt, large.learnt]).toEqual(["dialogue", 81]);
  expect([small.consistency, of("paper-256").consistency]).toEqual(["end", "current"]);
  const merged = distillConfigOf({ name: "x", teacher: "y", trajectories: { block: 4 } }, "reference-256").trajectories;
  expect(merged).toMatchObject({ block: 4, answerTokens: 512, skipsRepetition: true });
});

test("the student's own labels are what it says of the end of the segment", async () => {
  const {
    transformer,
    config: { showo },
    dispose,
  } = await loadNetworks(teacher, { host: "inline", threads: 1 });
  const prompts = [[1, 2], [3]];
  const asked = await imagePredictor(transformer, { prompts });
  const recorded = await recordPictures(asked, prompts, showo.imageTokens, { passes: 4, labels: showo.codebookSize });
  const options = { passes: 4, segments: 2, consistency: "end" } as const;
  const points = imagePoints(
    recorded.map((trajectory) => ({ trajectory, step: 0 })),
    showo.codebookSize,
    options,
  );
  const said = await asked.predict(points.targets, { start: 0, end: showo.imageTokens }, 1);
  const text = { from: [1, 2], to: [1, 2], last: [1, 2] };
  const length = showo.imageTokens + 10;
  const row = { ids: new Array<number>(length - 2).fill(5) };
  const long = Object.fromEntries(
    Object.entries(text).map(([key, ids]) => [key, [...row.ids, ...ids]]),
  ) as unknown as typeof text;
  const plain = {
    ids: new Array<number>(showo.maxTextTokens + showo.imageTokens + 3).fill(5),
    labels: new Array<number>(showo.maxTextTokens + showo.imageTokens + 3).fill(5),
  };
  const common: Omit<DistillBatch, "image"> = { prompts, texts: [long], lm: [plain] };
  const how: DistillSettings = {
    rows: { image: 2, text: 1, lm: 1 },
    textLength: length,
    textIgnored: showo.imageTokens + 4,
    weights: { imageConsistency: 1, textRegularisation: 1, text: 1, lm: 1 },
  };
  const loss = async (settings: DistillSettings, batch: DistillBatch) => {
    const graph = new Graph();
    graph.output("consistency", distillLosses(graph, showo, settings).imageConsistency);
    const weights = tinyWeights();
    const program = await compile(graph, { weights: (name) => weights.get(name), threads: 1 });
    const out = await program.run(distillFeeds(showo, settings, batch));
    await program.dispose();
    return Number(out.consistency.data[0]);
  };
  const given = {
    from: points.from,
    to: points.targets,
    teacher_BLV: points.teacher_BLV,
    student_BLV: probabilities(said, showo.codebookSize),
  };
  const own = await loss({ ...how, targets: 1 }, { ...common, image: points });
  expect(own).toBeGreaterThan(0.5);
  expect(own).toBeCloseTo(await loss(how, { ...common, image: given }), 4);
  await dispose();
});

/** As the teacher's folder has them, rounded to float16. */
const tinyWeights = () => {
  const file = readSafetensors(join(teacher, "showo.safetensors"));
  return new Map(file.names.map((name) => [name, file.float32(name)]));
};

test("a student that says the same everywhere stops training at once, and the checkpoint before stays", {
  timeout: 180_000,
}, async () => {
  const config = distillConfigOf(settings());
  const none: TrajectorySource = { pictures: async () => [], texts: async () => [], plain: () => [] };
  const {
    config: { showo },
  } = await loadNetworks(teacher, { host: "inline", threads: 1 });
  const task = distillTask(config, config.stages[0], { showo, weights: {}, teacher: "", source: none });
  task.check!({ imageDiversity: 0.9, textDiversity: 0.5 }, 3);
  for (const bad of [
    { imageDiversity: 0.1, textDiversity: 1 },
    { imageDiversity: 1, textDiversity: Number.NaN },
  ])
    expect(() => task.check!(bad, 3)).toThrow(
      expect.objectContaining({ code: "DIVERGED", message: expect.stringMatching(/step 3/) }),
    );

  // Without regularisation and much too fast it comes to that.
  const alone = { imageConsistency: 1, imageRegularisation: 0, textRegularisation: 0, text: 0.5, lm: 0 };
  const stages = [{ passes: 4, guidance: 1, segments: 2, textSegments: 1, steps: 400 }];
  const optimizer = { learningRate: 0.05, kind: "constant", weightDecay: 0, ema: 0 } as const;
  const collapsing = run("collapse", { stages, weights: alone, optimizer, leastDiversity: 0.5 });
  await expect(collapsing).rejects.toMatchObject({
    code: "DIVERGED",
    message: expect.stringMatching(/collapsed at step/),
  });
  const records = readLog(join(root, "collapse", "stage-1", "run", "metrics.jsonl"));
  const kept = readdirSync(join(root, "collapse", "stage-1", "run", "checkpoints"));
  expect(Number(kept.at(-1)!.slice(5))).toBeLessThanOrEqual(Number(records.at(-1)!.step));
});

test("the compiled program distils", { timeout: 180_000 }, async () => {
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const file = join(root, "settings.json");
  writeFileSync(file, JSON.stringify(settings()));
  const out = join(root, "by-command");
  const argv = [
    "distill",
    file,
    "--out",
    out,
    "--steps",
    "1",
    "--guidance",
    "1,0",
    "--threads",
    "1",
    "--name",
    "named",
  ];
  const child = spawn(process.execPath, [main, ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  let [said, errors] = ["", ""];
  child.stdout.on("data", (text) => (said += text));
  child.stderr.on("data", (text) => (errors += text));
  expect(await new Promise((resolve) => child.on("close", resolve)), errors).toBe(0);
  expect(said).toBe(`${join(out, "stage-2", "model")}\n`);
  expect(errors).toMatch(/stage 1\/2 {2}pictures 6\/6[\s\S]*stage 2\/2 {2}1\/1 {2}loss/);
  expect(JSON.parse(readFileSync(join(out, "stage-2", "model", "config.json"), "utf8")).model).toBe("named");
});
