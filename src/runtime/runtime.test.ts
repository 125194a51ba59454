/** Programs in this thread and in a worker: same results, same errors; what people get wrong is named. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterAll, expect, test } from "vitest";
import { type ErrorCode, FewstepError, f32, i64, type NdArray, nd } from "../base/index.ts";
import * as g from "../graph/index.ts";
import { writeOnnx } from "../onnx/index.ts";
import { workerHost } from "./host.ts";
import { type CompileOptions, compile, createHost, openSession } from "./index.ts";
import { startThread, startWorker } from "./thread.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-runtime-"));
afterAll(() => rmSync(folder, { recursive: true }));
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const numbers = (a: NdArray) => Array.from(a.data as ArrayLike<number | bigint>, Number);

async function refusal(work: Promise<unknown>): Promise<FewstepError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FewstepError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** y = x W, and how many rows the mask lets through. */
function small() {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", ["B", 3]);
  const mask = graph.input("mask", "int64", ["B"]);
  graph.output(
    "y",
    graph.scope("head", () => g.gemm(x, graph.param("weight", [3, 2]))),
  );
  graph.output("count", g.sum(mask));
  return graph;
}
const weight = f32([3, 2], [1, 2, 3, 4, 5, 6]);
const feeds = (rows = 2) => ({
  x: f32([rows, 3], new Float32Array(rows * 3).fill(2)),
  mask: i64([rows], new BigInt64Array(rows).fill(1n)),
});
const weights = () => weight;

/** Computes for a while: matrices multiplied one after the other. */
function long(products: number) {
  const graph = new g.Graph();
  const x = graph.input("x", "float32", [256, 256]);
  let y = x;
  for (let i = 0; i < products; i++) y = g.matmul(y, x);
  graph.output("y", y);
  return graph;
}
const identity = f32(
  [256, 256],
  Float32Array.from({ length: 256 * 256 }, (_, i) => (i % 257 === 0 ? 1 : 0)),
);

for (const host of ["inline", "worker"] as const) {
  test(`${host}: a graph, bytes and a file run alike`, async () => {
    const file = join(folder, `${host}.onnx`);
    writeFileSync(file, writeOnnx(small(), { weights }));
    const shared = createHost({ host, threads: 1, spinning: false });
    const bytes = writeOnnx(small(), { weights });
    for (const model of [small(), bytes, file]) {
      const program = await shared.compile(model, { weights });
      expect([program.inputs, program.outputs]).toEqual([
        ["x", "mask"],
        ["y", "count"],
      ]);
      for (const rows of [1, 3]) {
        const out = await program.run(feeds(rows));
        expect(out.y).toEqual(f32([rows, 2], Array(rows).fill([18, 24]).flat()));
        expect(out.count).toEqual(i64([], [rows]));
      }
    }
    expect(bytes.length).toBeGreaterThan(100);
    await shared.dispose();
  });

  test(`${host}: results are written into given arrays, also in place`, async () => {
    const graph = new g.Graph();
    graph.output("next", g.add(graph.input("state", "float32", [3]), 1));
    const program = await compile(graph, { host, threads: 1 });
    const state = f32([3], new Float32Array([9, 1, 2, 3, 9]).subarray(1, 4));
    for (let i = 0; i < 3; i++) expect((await program.run({ state }, { next: state })).next).toBe(state);
    expect([...new Float32Array(state.data.buffer)]).toEqual([9, 4, 5, 6, 9]);
    const wrong = await refusal(program.run({ state }, { next: f32([4]) }));
    expect(wrong.message).toMatch(/output "next".*\n.*float32\[3\]\n.*float32\[4\]/);
    const unknown = await refusal(program.run({ state }, { later: state }));
    expect(unknown.message).toMatch(/no output "later"\n.*next/);
    await program.dispose();
  });

  test(`${host}: feeds that do not fit are named with both shapes`, async () => {
    const program = await compile(small(), { host, threads: 1, weights });
    const { x, mask } = feeds();
    const cases: [Record<string, NdArray>, RegExp][] = [
      [{ x }, /^input "mask" is missing\n {2}expected x, mask\n {2}got {6}x$/],
      [
        { x: f32([2, 4]), mask },
        /^input "x" has the wrong size on axis 1\n {2}expected float32\[B, 3\]\n {2}got {6}float32\[2, 4\]$/,
      ],
      [{ x: f32([6]), mask }, /"x" has the wrong rank\n {2}expected float32\[B, 3\]\n {2}got {6}float32\[6\]/],
      [{ x: nd("int32", [2, 3]), mask }, /"x" has the wrong dtype\n {2}expected float32.*\n {2}got {6}int32\[2, 3\]/],
      [
        { x, mask: i64([5], [1, 1, 1, 1, 1]) },
        /"mask".* axis 0\n {2}expected int64\[B\] with B = 2 as in "x"\n.*\[5\]/,
      ],
      [{ x: { ...x, data: x.data.subarray(1) }, mask }, /"x" does not fill its shape\n.*6 elements.*\n.*5/],
    ];
    for (const [given, message] of cases) {
      const error = await refusal(program.run(given));
      expect(error.message).toMatch(message);
      expect(error.code).toBe("BAD_INPUT");
    }
    expect((await program.run({ x, mask })).y.shape).toEqual([2, 2]);
    await program.dispose();
    expect((await refusal(program.run({ x, mask }))).message).toContain("disposed");
    await program.dispose();
  });

  test(`${host}: models that cannot be opened say why`, async () => {
    const shared = createHost({ host, threads: 1 });
    const file = (name: string, data: string | Uint8Array) => {
      writeFileSync(join(folder, name), data);
      return join(folder, name);
    };
    const outside = (name: string) => () => ({ location: name, offset: 0, length: 24 });
    file("short.bin", new Uint8Array(20));
    const cases: [string | Uint8Array, ErrorCode, string][] = [
      [join(folder, "none.onnx"), "NOT_FOUND", "none.onnx"],
      [file("text.onnx", "this is text"), "BAD_FILE", "not an ONNX model"],
      [new Uint8Array(50).fill(7), "BAD_FILE", "not an ONNX model"],
      [new Uint8Array(0), "BAD_FILE", "not an ONNX model"],
      [folder, "BAD_FILE", folder],
      [file("a.onnx", writeOnnx(small(), { weights: outside("gone.bin") })), "NOT_FOUND", "gone.bin"],
      [file("b.onnx", writeOnnx(small(), { weights: outside("short.bin") })), "BAD_FILE", "cut short"],
    ];
    for (const [model, code, part] of cases) {
      const error = await refusal(shared.compile(model));
      expect(error.message).toContain(part);
      expect(error.code).toBe(code);
    }
    await shared.dispose();
  });

  test(`${host}: errors of a graph show the node with its shapes`, async () => {
    const shared = createHost({ host, threads: 1 });
    const bad = new g.Graph();
    bad.scope("neck.1", () => bad.output("y", g.softmax(bad.input("x", "int64", [2, 3]))));
    const opened = await refusal(shared.compile(bad));
    expect(opened.code).toBe("BAD_GRAPH");
    expect(opened.message).toMatch(/neck\.1\/Softmax:0.*\n.*Softmax:0 = Softmax\(x\) {2}int64\[2, 3\]$/);

    const graph = new g.Graph();
    const ids = graph.input("ids", "int64", ["T"]);
    graph.scope("embed", () => graph.output("rows", g.gather(graph.param("table", [3, 2]), ids)));
    const program = await shared.compile(graph, { weights: () => f32([3, 2]) });
    const ran = await refusal(program.run({ ids: i64([2], [0, 7]) }));
    expect(ran.message).toContain("idx=7");
    expect(ran.message).toMatch(/Gather:0 = Gather\(embed\.table, ids\) {2}float32\[T, 2\]$/);
    expect(numbers((await program.run({ ids: i64([1], [2]) })).rows)).toEqual([0, 0]);
    await shared.dispose();
  });

  test(`${host}: an aborted run does not start`, async () => {
    const program = await compile(small(), { host, threads: 1, weights });
    const error = await refusal(program.run(feeds(), {}, { signal: AbortSignal.abort("enough") }));
    expect([error.code, error.message]).toEqual(["ABORTED", "cancelled"]);
    expect((await program.run(feeds(), {}, { signal: new AbortController().signal })).y.shape).toEqual([2, 2]);
    await program.dispose();
  });
}

test("worker: arrays are copied unless they are given away", async () => {
  const program = await compile(small(), { host: "worker", threads: 1, weights });
  const kept = feeds();
  await program.run(kept);
  expect(kept.x.data.length).toBe(6);
  const given = feeds();
  const out = await program.run(given, {}, { transfer: true });
  expect(given.x.data.length).toBe(0);
  expect(numbers(out.y)).toEqual([18, 24, 18, 24]);
  expect((await refusal(program.run(given, {}, { transfer: true }))).message).toContain('"x" does not fill its shape');
  await program.dispose();
});

test("worker: programs of one host run in the order of asking; aborting one leaves the others", async () => {
  const host = createHost({ threads: 1 });
  const [first, second] = await Promise.all([host.compile(long(20)), host.compile(small(), { weights })]);
  const controller = new AbortController();
  const done: string[] = [];
  const runs = [
    first.run({ x: identity }).then(() => done.push("first")),
    refusal(second.run(feeds(), {}, { signal: controller.signal })).then(({ code }) => done.push(code)),
    second.run(feeds()).then(() => done.push("second")),
  ];
  controller.abort();
  await Promise.all(runs);
  expect(done).toEqual(["first", "ABORTED", "second"]);
  await host.dispose();
});

test("worker: disposing rejects what is under way and lets it finish first", async () => {
  const host = createHost({ threads: 1 });
  const program = await host.compile(long(50));
  const started = refusal(program.run({ x: identity }));
  const queued = refusal(program.run({ x: identity }));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await host.dispose();
  expect([(await started).code, (await queued).code]).toEqual(["ABORTED", "ABORTED"]);
  expect((await refusal(program.run({ x: identity }))).message).toContain("host of this program was disposed");
  expect((await refusal(host.compile(small()))).code).toBe("ABORTED");
  await program.dispose();
});

test("worker: a crash rejects the request under way and later ones", async () => {
  const narrow = async (busy: Int32Array) =>
    new Worker(join(dist, "runtime/worker.js"), { workerData: busy, resourceLimits: { maxOldGenerationSizeMb: 16 } });
  const host = workerHost({ threads: 1 }, () => startThread(narrow));
  const program = await host.compile(small(), { weights });
  expect(numbers((await program.run(feeds(1))).y)).toEqual([18, 24]);
  const bulk = { bulk: Array.from({ length: 200_000 }, (_, i) => ({ text: `more than the thread may hold ${i}` })) };
  const error = await refusal(host.compile(small(), bulk as CompileOptions));
  expect(error.code).toBe("OUT_OF_MEMORY");
  expect(error.message).toMatch(/^the compute thread stopped\n.*memory limit/);
  expect((await refusal(program.run(feeds(1)))).message).toContain("compute thread stopped");
  await host.dispose();
});

test("worker: a thread that ends is noticed", async () => {
  let end: () => Promise<unknown> = async () => {};
  const host = workerHost({ threads: 1 }, () =>
    startThread(async (busy) => {
      const worker = await startWorker(busy);
      end = () => worker.terminate();
      return worker;
    }),
  );
  const program = await host.compile(small(), { weights });
  await end();
  expect((await refusal(program.run(feeds()))).message).toMatch(/compute thread stopped\n.*exit code 1/);
  await host.dispose();
});

/** Longest time between two turns of the event loop while `work` runs, and its length, in ms. */
async function longestGap(work: () => Promise<unknown>): Promise<[gap: number, length: number]> {
  const start = performance.now();
  let [last, gap] = [start, 0];
  const look = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  await work();
  look();
  clearInterval(timer);
  return [gap, performance.now() - start];
}

test("the event loop goes on during a run in a worker, and stands still during one inline", async () => {
  const measure = async (host: "inline" | "worker") => {
    const program = await compile(long(400), { host, threads: 1 });
    await program.run({ x: identity });
    const [gap, length] = await longestGap(() => program.run({ x: identity }));
    await program.dispose();
    console.log(`${host}: longest gap ${gap.toFixed(1)} ms of a run of ${length.toFixed(0)} ms`);
    return gap / length;
  };
  expect(await measure("worker")).toBeLessThan(0.5);
  expect(await measure("inline")).toBeGreaterThan(0.5);
});

const node = (script: string, cwd: string) =>
  promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { cwd }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
  );

test("the package loads without ONNX Runtime; the error comes with the first use", async () => {
  for (const part of ["base", "graph", "onnx", "runtime"])
    cpSync(join(dist, part), join(folder, "alone", part), { recursive: true });
  writeFileSync(join(folder, "alone", "package.json"), '{"type":"module"}');
  const { stdout } = await node(
    `import { compile } from "./runtime/index.js"; import { Graph } from "./graph/index.js";
     console.log("loaded");
     for (const host of ["inline", "worker"]) {
       const graph = new Graph();
       graph.output("y", graph.input("x", "float32", []));
       await compile(graph, { host }).catch((e) => console.log(e.code, e.message.split("\\n")[0]));
     }`,
    join(folder, "alone"),
  );
  const error = "BACKEND_UNAVAILABLE ONNX Runtime could not be loaded";
  expect(stdout.trim().split("\n")).toEqual(["loaded", error, error]);
});

test("a process may leave while a worker computes or idles", async () => {
  const script = (last: string) => `
    import { compile } from ${JSON.stringify(pathToFileURL(join(dist, "runtime/index.js")).href)};
    import { f32 } from ${JSON.stringify(pathToFileURL(join(dist, "base/index.js")).href)};
    const program = await compile(${JSON.stringify(join(folder, "long.onnx"))}, { host: "worker", threads: 1 });
    const run = () => program.run({ x: f32([256, 256]) });
    ${last}`;
  writeFileSync(join(folder, "long.onnx"), writeOnnx(long(400)));
  expect(await node(script("await run(); console.log('done')"), folder)).toEqual({ code: 0, stdout: "done\n" });
  const leave = "run().catch(() => {}); setTimeout(() => process.exit(3), 30)";
  expect((await node(script(leave), folder)).code).toBe(3);
});

test("another build of ONNX Runtime can be given", async () => {
  const { useOrt, loadOrt } = await import("./ort.ts");
  const real = await loadOrt();
  let created = 0;
  const counting = {
    Tensor: real.Tensor,
    InferenceSession: {
      create: (...call: Parameters<typeof real.InferenceSession.create>) => {
        created++;
        return real.InferenceSession.create(...call);
      },
    },
  } as typeof real;
  useOrt(counting);
  const program = await openSession(writeOnnx(small(), { weights }), { threads: 1 });
  expect(numbers((await program.run(feeds(1))).y)).toEqual([18, 24]);
  expect(created).toBe(1);
  useOrt(real);
  await program.dispose();
});
