/** Runs on disk: killed, resumed, cancelled, diverged, exported. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { f32, Rng } from "../base/index.ts";
import { narrow, readLog, readSafetensors } from "../files/index.ts";
import { gemm, mean, square, sub } from "../graph/index.ts";
import { readPicture } from "../image/index.ts";
import { exportWeights, type TrainOptions, type TrainTask, train } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-train-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let runs = 0;
const fresh = () => join(folder, `run-${++runs}`);

const task: TrainTask = {
  name: "line",
  config: { rows: 4, data: { seed: 5 } },
  batchSize: 4,
  build(graph) {
    const x = graph.input("x", "float32", [4, 2]);
    const y = graph.input("y", "float32", [4, 1]);
    return { loss: mean(square(sub(gemm(x, graph.param("w", [2, 1])), y))) };
  },
  batch(step, micro) {
    const rng = new Rng(5, step * 7 + micro);
    const x = f32(
      [4, 2],
      Float32Array.from({ length: 8 }, () => rng.normal()),
    );
    return {
      x,
      y: f32(
        [4, 1],
        Float32Array.from({ length: 4 }, (_, i) => 3 * x.data[2 * i] - x.data[2 * i + 1]),
      ),
    };
  },
};

const options = (out: string): TrainOptions => ({
  task,
  out,
  steps: 60,
  schedule: { kind: "cosine", peak: 0.3, warmup: 5 },
  optimizer: { ema: 0.9, weightDecay: 0 },
  every: { log: 10, save: 20, sample: 30 },
  threads: 1,
});

const stateFile = (checkpoint: string) => readFileSync(join(checkpoint, "state.safetensors"));

test("a run leaves its config, records, samples and the last checkpoints, and solves the task", async () => {
  const out = fresh();
  const seen: number[] = [];
  const last = await train({
    ...options(out),
    task: {
      ...task,
      sample: async (weights, step, dir) => writeFileSync(join(dir, "w.txt"), `${step}: ${weights.w.data}`),
    },
    onProgress: ({ step, secondsLeft, samplesPerSecond }) => {
      expect(samplesPerSecond).toBeGreaterThan(0);
      expect(secondsLeft).toBeGreaterThanOrEqual(0);
      seen.push(step);
    },
  });
  expect(seen).toEqual([10, 20, 30, 40, 50, 60]);
  expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-00000040", "step-00000060"]);
  expect(readdirSync(join(out, "samples"))).toEqual(["step-00000030", "step-00000060"]);
  expect(readFileSync(join(out, "samples/step-00000030/w.txt"), "utf8")).toMatch(/^30: /);
  const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
  expect(config).toEqual(JSON.parse(readFileSync(join(last, "run.json"), "utf8")).config);
  expect(config).toMatchObject({ task: "line", config: { rows: 4 }, optimizer: { betas: [0.9, 0.999], ema: 0.9 } });
  const picture = await readPicture(join(out, "curves.png"));
  expect([picture.width, picture.height]).toEqual([1200, 720]);
  const records = readLog(join(out, "metrics.jsonl"));
  expect(records.map(({ step }) => step)).toEqual(seen);
  expect(records[0].loss).toBeGreaterThan(1);
  expect(records[5].loss).toBeLessThan(0.01);

  const state = readSafetensors(join(last, "state.safetensors"));
  expect(state.names).toEqual(["params/w", "m/w", "v/w", "ema/w"]);
  const file = join(folder, "w.safetensors");
  expect(await exportWeights(last, file)).toEqual(["w"]);
  expect(readSafetensors(file).get("w")).toEqual(state.get("ema/w"));
  await exportWeights(last, file, { ema: false, dtype: "float16" });
  expect(readSafetensors(file).get("w")).toEqual(narrow(state.float32("params/w")));
  expect(Math.abs(state.float32("params/w").data[0] - 3)).toBeLessThan(0.1);
  expect(state.get("ema/w")).not.toEqual(state.get("params/w"));
});

test("samples before the first report, and a loss below zero", async () => {
  const out = fresh();
  const below: TrainTask = {
    ...task,
    build: (graph) => ({ loss: sub(task.build(graph).loss, 100) }),
    sample: async () => {},
  };
  await train({ ...options(out), task: below, every: { log: 20, save: 60, sample: 10 } });
  expect(readdirSync(join(out, "samples")).length).toBe(6);
  expect((await readPicture(join(out, "curves.png"))).width).toBe(1200);
});

test("every micro-batch is asked for once, in order", async () => {
  const asked: string[] = [];
  const counting: TrainTask = {
    ...task,
    batch(step, micro) {
      asked.push(`${step}.${micro}`);
      return task.batch(step, micro);
    },
  };
  await train({ ...options(fresh()), task: counting, steps: 2, micro: 3, schedule: { kind: "constant", peak: 0.1 } });
  expect(asked).toEqual(["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]);
});

test("cancelling finishes the step and saves; going on gives the uninterrupted run's bytes", async () => {
  const whole = await train(options(fresh()));
  const out = fresh();
  const stop = new AbortController();
  const stopAt33: TrainTask = {
    ...task,
    batch(step, micro) {
      if (step === 32) stop.abort();
      return task.batch(step, micro);
    },
  };
  await expect(train({ ...options(out), task: stopAt33, signal: stop.signal })).rejects.toMatchObject({
    code: "ABORTED",
  });
  expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-00000020", "step-00000033"]);

  await expect(train(options(out))).rejects.toThrow(/already holds a run/);
  const resumed = await train({ ...options(out), resume: true });
  expect(stateFile(resumed).equals(stateFile(whole))).toBe(true);
  const records = readLog(join(out, "metrics.jsonl"));
  expect(records.map(({ step }) => step)).toEqual([10, 20, 30, 33, 40, 50, 60]);
});

test("who hears of a step may end the run with that step saved", async () => {
  const out = fresh();
  const stop = new AbortController();
  const onProgress = ({ step }: { step: number }) => step === 10 && stop.abort();
  await expect(train({ ...options(out), signal: stop.signal, onProgress })).rejects.toMatchObject({ code: "ABORTED" });
  expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-00000010"]);
});

test("a checkpoint of another config is refused by name unless allowed", async () => {
  const out = fresh();
  await train({ ...options(out), steps: 20 });
  const other = { ...options(out), steps: 20, resume: true, task: { ...task, config: { rows: 4, data: { seed: 6 } } } };
  await expect(train(other)).rejects.toThrow(
    /other settings\n {2}expected config\.data\.seed = 5\n.*config\.data\.seed = 6/,
  );
  const longer = await train({ ...options(out), resume: true, otherConfig: true });
  expect(longer).toMatch(/step-00000060$/);
});

test("NaN stops the run at its step and leaves the checkpoint before", async () => {
  const out = fresh();
  const broken: TrainTask = {
    ...task,
    batch(step, micro) {
      const { x, y } = task.batch(step, micro) as Record<string, ReturnType<typeof f32>>;
      if (step === 47) x.data[0] = Number.NaN;
      return { x, y };
    },
  };
  await expect(train({ ...options(out), task: broken })).rejects.toMatchObject({
    code: "DIVERGED",
    message: expect.stringMatching(/step 48/),
  });
  expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-00000020", "step-00000040"]);
});

test("leftovers of a killed save are swept away; a damaged checkpoint and an impossible folder are refused", async () => {
  const out = fresh();
  const last = await train({ ...options(out), steps: 20 });
  const partial = join(out, "checkpoints", "step-00000040.partial");
  mkdirSync(partial);
  writeFileSync(join(partial, "state.safetensors"), "half of a fi");
  expect(await train({ ...options(out), steps: 20, resume: true })).toBe(last);
  expect(readdirSync(join(out, "checkpoints"))).toEqual(["step-00000020"]);

  writeFileSync(join(last, "state.safetensors"), stateFile(last).subarray(0, -1));
  await expect(train({ ...options(out), resume: true, otherConfig: true })).rejects.toMatchObject({ code: "BAD_FILE" });
  writeFileSync(join(last, "run.json"), "{");
  await expect(train({ ...options(out), resume: true })).rejects.toMatchObject({ code: "BAD_FILE" });
  const inFile = join(last, "run.json", "run");
  await expect(train(options(inFile))).rejects.toThrow(/run\.json.*this folder cannot be made/);
});

test("impossible settings are refused before anything is written", async () => {
  const out = fresh();
  await expect(train({ ...options(out), steps: 0 })).rejects.toThrow(/"steps"\n {2}expected 1 or more\n {2}got {6}0/);
  await expect(train({ ...options(out), micro: 1.5 })).rejects.toThrow(/"micro"/);
  await expect(train({ ...options(out), schedule: { kind: "linear", peak: -1 } })).rejects.toThrow(/peak/);
  await expect(train({ ...options(out), schedule: { kind: "linear", peak: 1, warmup: 99 } })).rejects.toThrow(
    /warm-up/,
  );
  expect(readdirSync(folder)).not.toContain(out.split("/").at(-1));
});

/** The sources as JavaScript, because a killed run must be a process of its own. */
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const compiled = join(root, "node_modules", `.fewstep-train-${process.pid}`);
beforeAll(() => {
  const source = join(root, "src");
  for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!/^(base|graph|onnx|runtime|files|image|train)\/.*(?<!\.test)\.ts$/.test(name)) continue;
    const { outputText } = ts.transpileModule(readFileSync(join(source, name), "utf8"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        rewriteRelativeImportExtensions: true,
      },
    });
    const to = join(compiled, name.replace(/ts$/, "js"));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, outputText);
  }
  writeFileSync(join(compiled, "package.json"), '{ "type": "module" }');
  writeFileSync(join(compiled, "child.js"), CHILD);
});
afterAll(() => rmSync(compiled, { recursive: true, force: true }));

const CHILD = `
import { f32, Rng } from "./base/index.js";
import { gemm, mean, square, sub, tanh } from "./graph/index.js";
import { train } from "./train/loop.js";
const rows = 8;
await train({
  out: process.argv[2], steps: 150, resume: true, threads: 1, micro: 2,
  schedule: { kind: "linear", peak: 0.01, warmup: 10 }, optimizer: { ema: 0.99 },
  every: { log: 1, save: 5, sample: 100 },
  onProgress: ({ step }) => console.log(step),
  task: {
    name: "killed", config: { rows }, batchSize: rows,
    build(graph) {
      const x = graph.input("x", "float32", [rows, 16]);
      const h = tanh(gemm(x, graph.param("a", [16, 200])));
      return { loss: mean(square(sub(gemm(h, graph.param("b", [200, 16])), x))) };
    },
    batch(step, micro) {
      const rng = new Rng(1, step * 2 + micro);
      return { x: f32([rows, 16], Float32Array.from({ length: rows * 16 }, () => rng.normal())) };
    },
  },
});
`;

/** Runs the child to its end, or kills it within some milliseconds of a step. True when it ended by itself. */
function child(out: string, lastStep?: number, delay?: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, [join(compiled, "child.js"), out], { stdio: "pipe" });
    let errors = "";
    let killing: NodeJS.Timeout | undefined;
    running.stderr.on("data", (text) => (errors += text));
    running.stdout.on("data", (text) => {
      if (lastStep && Number(String(text).trim().split("\n").at(-1)) >= lastStep)
        killing ??= setTimeout(() => running.kill("SIGKILL"), delay);
    });
    running.on("exit", (code, signal) => {
      clearTimeout(killing);
      if (code === 0 || signal === "SIGKILL") resolve(code === 0);
      else reject(new Error(errors));
    });
  });
}

test("a run killed at random moments and resumed ends with the bytes of one that was not", async () => {
  const [whole, killed] = [fresh(), fresh()];
  const rng = new Rng(Date.now());
  const uninterrupted = child(whole);
  for (const lastStep of [1, 40, 80]) expect(await child(killed, lastStep, rng.int(20))).toBe(false);
  expect(await child(killed)).toBe(true);
  expect(await uninterrupted).toBe(true);
  const last = "checkpoints/step-00000150";
  expect(stateFile(join(killed, last)).equals(stateFile(join(whole, last)))).toBe(true);
  const losses = (out: string) => readLog(join(out, "metrics.jsonl")).map(({ step, loss }) => [step, loss]);
  expect(losses(killed)).toEqual(losses(whole));
  expect(losses(killed).length).toBe(150);
});
