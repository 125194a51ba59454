/** The training step against plain formulas. */
import { afterEach, expect, test } from "vitest";
import { f32, i64, Rng } from "../base/index.ts";
import { add, Graph, gatherElements, gemm, logSoftmax, mean, neg, reshape, square, sub, tanh } from "../graph/index.ts";
import { type Arrays, compile } from "../runtime/index.ts";
import { layOut, views } from "./flat.ts";
import { addGradientSums, createTrainer, type Trainer, type TrainerOptions } from "./step.ts";

const open: { dispose(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((one) => one.dispose())));
function opened<T extends { dispose(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

/** A two-layer network that fits y; its matrices decay, its biases do not. */
const build =
  (rows: number) =>
  (graph: Graph): ReturnType<TrainerOptions["build"]> => {
    const x = graph.input("x", "float32", [rows, 3]);
    const y = graph.input("y", "float32", [rows, 2]);
    const hidden = tanh(
      gemm(x, graph.param("up.weight", [3, 5], { normal: 0.5 }), { c: graph.param("up.bias", [5], { constant: 0.1 }) }),
    );
    const out = gemm(hidden, graph.param("down.weight", [5, 2], { uniform: 0.7 }), {
      c: graph.param("down.bias", [2], { constant: 0 }),
    });
    const loss = mean(square(sub(out, y)));
    return { loss, metrics: { double: add(loss, loss) } };
  };

function data(rows: number, seed: number) {
  const rng = new Rng(seed);
  const draw = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
  return { x: f32([rows, 3], draw(rows * 3)), y: f32([rows, 2], draw(rows * 2)) };
}

const snapshot = (trainer: Trainer) =>
  Object.fromEntries(Object.entries(trainer.state().arrays).map(([name, { data }]) => [name, data.slice()]));

const options = { build: build(8), seed: 3, threads: 1 };

/** The same network and its gradients by hand, in double precision. */
function byHand(p: Record<string, number[]>, x: Float32Array, y: Float32Array, rows: number) {
  const grads: Record<string, number[]> = Object.fromEntries(Object.entries(p).map(([k, v]) => [k, v.map(() => 0)]));
  let loss = 0;
  for (let r = 0; r < rows; r++) {
    const hidden = p["up.bias"].map((b, j) =>
      Math.tanh(b + [0, 1, 2].reduce((s, i) => s + x[r * 3 + i] * p["up.weight"][i * 5 + j], 0)),
    );
    const slope = hidden.map(() => 0);
    for (let k = 0; k < 2; k++) {
      const out = hidden.reduce((s, h, j) => s + h * p["down.weight"][j * 2 + k], p["down.bias"][k]);
      const error = out - y[r * 2 + k];
      loss += (error * error) / (rows * 2);
      const d = (2 * error) / (rows * 2);
      grads["down.bias"][k] += d;
      for (const [j, h] of hidden.entries()) {
        grads["down.weight"][j * 2 + k] += d * h;
        slope[j] += d * p["down.weight"][j * 2 + k] * (1 - h * h);
      }
    }
    for (const [j, d] of slope.entries()) {
      grads["up.bias"][j] += d;
      for (let i = 0; i < 3; i++) grads["up.weight"][i * 5 + j] += d * x[r * 3 + i];
    }
  }
  return { loss, grads };
}

test("six steps equal PyTorch's AdamW with clipping, written out, and the moving average follows", async () => {
  const optimizer = { betas: [0.8, 0.95] as const, epsilon: 1e-3, weightDecay: 0.3, clip: 0.9, ema: 0.5 };
  const trainer = opened(await createTrainer({ ...options, optimizer }));
  const p = Object.fromEntries(Object.entries(trainer.params).map(([k, { data }]) => [k, Array.from(data)]));
  const zeros = () => Object.fromEntries(Object.entries(p).map(([k, v]) => [k, v.map(() => 0)]));
  const [m, v, ema] = [zeros(), zeros(), structuredClone(p)];
  let clipped = 0;
  for (let t = 1; t <= 6; t++) {
    const lr = 0.05 / t;
    const { x, y } = data(8, t);
    const { loss, grads } = byHand(p, x.data, y.data, 8);
    const norm = Math.sqrt(Object.values(grads).reduce((s, g) => s + g.reduce((a, b) => a + b * b, 0), 0));
    const clip = Math.min(1, 0.9 / (norm + 1e-6));
    if (clip < 1) clipped++;
    for (const [name, g] of Object.entries(grads))
      for (const [i, raw] of g.entries()) {
        const gi = raw * clip;
        if (name.endsWith("weight")) p[name][i] *= 1 - lr * 0.3;
        m[name][i] = 0.8 * m[name][i] + 0.2 * gi;
        v[name][i] = 0.95 * v[name][i] + 0.05 * gi * gi;
        p[name][i] -= (lr * (m[name][i] / (1 - 0.8 ** t))) / (Math.sqrt(v[name][i] / (1 - 0.95 ** t)) + 1e-3);
        const decay = Math.min(0.5, (1 + t) / (10 + t));
        ema[name][i] = decay * ema[name][i] + (1 - decay) * p[name][i];
      }
    const result = await trainer.step([{ x, y }], lr);
    expect(result.loss).toBeCloseTo(loss, 5);
    expect(result.metrics.double).toBeCloseTo(2 * loss, 5);
    expect(result.gradNorm).toBeCloseTo(norm, 5);
  }
  expect(clipped).toBeGreaterThan(0);
  expect(clipped).toBeLessThan(6);
  for (const name of Object.keys(p))
    for (const [i, expected] of p[name].entries()) {
      expect(trainer.params[name].data[i]).toBeCloseTo(expected, 5);
      expect(trainer.ema[name].data[i]).toBeCloseTo(ema[name][i], 5);
    }
});

test("four micro-batches make the step of one batch with all their rows", async () => {
  // With a small epsilon AdamW would forgive gradients that are four times too large.
  const optimizer = { epsilon: 0.3, clip: 100 };
  const whole = opened(await createTrainer({ ...options, optimizer, build: build(16) }));
  const parts = opened(await createTrainer({ ...options, optimizer, build: build(4) }));
  const part = (array: Float32Array, i: number) => array.slice((i * array.length) / 4, ((i + 1) * array.length) / 4);
  for (let t = 0; t < 3; t++) {
    const { x, y } = data(16, t);
    const one = await whole.step([{ x, y }], 0.01);
    const four = await parts.step(
      [0, 1, 2, 3].map((i) => ({ x: f32([4, 3], part(x.data, i)), y: f32([4, 2], part(y.data, i)) })),
      0.01,
    );
    expect(four.loss).toBeCloseTo(one.loss, 5);
    expect(four.gradNorm).toBeCloseTo(one.gradNorm, 5);
  }
  for (const [name, { data }] of Object.entries(whole.params))
    for (const [i, value] of data.entries()) expect(parts.params[name].data[i]).toBeCloseTo(value, 4);
});

test("gradients summed in place equal a twin that writes fresh arrays, bit for bit", async () => {
  const graph = new Graph();
  const objective = build(8)(graph);
  const slots = layOut([...graph.params].map(([name, { tensor }]) => ({ name, shape: tensor.shape as number[] })));
  addGradientSums(graph, objective, slots);
  const program = opened(await compile(graph, { threads: 2 }));
  const trainer = opened(await createTrainer(options));
  const flat = new Float32Array(slots.at(-1)!.end);
  let fresh: Arrays = views(slots, flat.slice(), "before");
  for (let t = 0; t < 5; t++) {
    const feeds = { ...data(8, t), ...trainer.params };
    await program.run({ ...feeds, ...views(slots, flat, "before") }, views(slots, flat, "after"));
    const out = await program.run({ ...feeds, ...fresh });
    fresh = Object.fromEntries(slots.map(({ name }) => [`before/${name}`, out[`after/${name}`]]));
  }
  for (const [name, { data }] of Object.entries(views(slots, flat, "before"))) {
    expect(data.every((x) => x !== 0)).toBe(true);
    expect(data).toEqual(fresh[name].data);
  }
});

test("a classifier learns", async () => {
  const rows = 32;
  const trainer = opened(
    await createTrainer({
      threads: 1,
      build(graph) {
        const x = graph.input("x", "float32", [rows, 2]);
        const label = graph.input("label", "int64", [rows]);
        const hidden = tanh(
          gemm(x, graph.param("a", [2, 16], { normal: 1 }), { c: graph.param("b", [16], { constant: 0 }) }),
        );
        const logits = gemm(hidden, graph.param("c", [16, 2], { normal: 0.3 }));
        return { loss: neg(mean(gatherElements(logSoftmax(logits), reshape(label, [rows, 1])))) };
      },
    }),
  );
  // Exclusive or: no linear model gets below ln 2.
  const losses: number[] = [];
  for (let t = 0; t < 150; t++) {
    const rng = new Rng(1, t);
    const x = Float32Array.from({ length: rows * 2 }, () => rng.uniform() * 2 - 1);
    const label = Array.from({ length: rows }, (_, i) => Number(x[2 * i] * x[2 * i + 1] > 0));
    losses.push((await trainer.step([{ x: f32([rows, 2], x), label: i64([rows], label) }], 0.05)).loss);
  }
  expect(losses[0]).toBeGreaterThan(0.6);
  expect(losses.slice(-10).reduce((a, b) => a + b) / 10).toBeLessThan(0.2);
});

test("frozen parameters stay, the others and their moments move", async () => {
  const source = opened(await createTrainer(options));
  const frozen = (name: string) => name.startsWith("up");
  const trainer = opened(await createTrainer({ ...options, seed: 9, frozen, weights: source.params }));
  await trainer.step([data(8, 1)], 0.01);
  expect(trainer.params["up.weight"].data).toEqual(source.params["up.weight"].data);
  expect(trainer.params["down.weight"].data).not.toEqual(source.params["down.weight"].data);
  expect(Object.keys(trainer.state().arrays).filter((n) => n.startsWith("m/"))).toEqual([
    "m/down.weight",
    "m/down.bias",
  ]);
  await expect(createTrainer({ ...options, frozen })).rejects.toThrow(/up\.weight: a frozen parameter needs weights/);
});

test("a parameter starts the same whatever else the model has", async () => {
  const one = opened(await createTrainer(options));
  const two = opened(
    await createTrainer({
      ...options,
      build(graph) {
        const extra = graph.param("first", [2], { normal: 1 });
        const { loss } = build(8)(graph);
        return { loss: add(loss, mean(extra)) };
      },
    }),
  );
  expect(two.params["up.weight"].data).toEqual(one.params["up.weight"].data);
  const uniform = [...one.params["down.weight"].data].sort((a, b) => a - b);
  expect(uniform[0]).toBeGreaterThan(-0.7);
  expect(uniform[1]).toBeLessThan(-0.2);
  expect(uniform[8]).toBeGreaterThan(0.2);
  expect(uniform[9]).toBeLessThan(0.7);
  expect(one.params["up.bias"].data).toEqual(new Float32Array(5).fill(0.1));
  const other = opened(await createTrainer({ ...options, seed: 4 }));
  expect(other.params["up.weight"].data).not.toEqual(one.params["up.weight"].data);
});

test("a step with NaN is refused and changes nothing", async () => {
  const trainer = opened(await createTrainer({ ...options, optimizer: { ema: 0.9 } }));
  await trainer.step([data(8, 1)], 0.01);
  const before = snapshot(trainer);
  const bad = data(8, 2);
  bad.y.data[3] = Number.NaN;
  await expect(trainer.step([bad], 0.01)).rejects.toMatchObject({
    code: "DIVERGED",
    message: expect.stringMatching(/step 2/),
  });
  expect(snapshot(trainer)).toEqual(before);
  expect(trainer.state().step).toBe(1);
});

test("weights that do not fit are refused", async () => {
  await expect(createTrainer({ ...options, weights: { "up.bias": f32([4]) } })).rejects.toThrow(
    /up\.bias.*\n.*expected float32\[5\]\n.*got {6}float32\[4\]/,
  );
  await expect(createTrainer({ ...options, weights: { nobody: f32([4]) } })).rejects.toThrow(/nobody/);
});
