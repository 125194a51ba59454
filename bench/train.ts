/**
 * One training step of a 5.6 M-parameter transformer (width 256, 6 layers, 96 tokens, batch 32, vocabulary 1600) against
 * the matmul rate of the same ONNX Runtime, measured in turns, each for as long as the step took: a burst of a few
 * milliseconds finds moments in which nobody else uses the machine, and a step of a second does not. The fastest single
 * product is told beside it. The batch is given whole, and as four micro-batches.
 * FLOPs of a step: 6 x matmul parameters x tokens, plus 12 x length x width x layers x tokens for attention.
 */
import { f32, i64, type NdArray, Rng } from "fewstep/base";
import { Graph, matmul, reshape } from "fewstep/graph";
import {
  positionsFrom,
  SHOWO_PRESETS,
  type ShowoConfig,
  showoBody,
  showoHead,
  vocabularyOf,
} from "fewstep/models/showo";
import { crossEntropy } from "fewstep/nn";
import { compile } from "fewstep/runtime";
import { createTrainer, type Trainer } from "fewstep/train";
import { median, table } from "./report.ts";

const [LENGTH, BATCH] = [96, 32];
const config: ShowoConfig = { ...SHOWO_PRESETS.mini, llmVocabSize: 565, endOfText: 564, codebookSize: 1024 };
/** A square product, and the widest one of the model: [m, k] x [k, n]. */
const PRODUCTS = [
  { m: 1024, k: 1024, n: 1024 },
  { m: BATCH * LENGTH, k: config.hiddenSize, n: config.mlpSize },
];

export interface TrainFigures {
  threads: number;
  /** Micro-batches that the batch of 32 was given in. */
  micro: number;
  milliseconds: number;
  tokensPerSecond: number;
  gflops: number;
  /** The faster of the two products, repeated for as long as a step takes. */
  matmulGflops: number;
  /** gflops / matmulGflops. */
  share: number;
  /** The same by processor time, which other programs on the machine cannot take away. */
  processorShare: number;
  /** The fastest single product of the whole run. */
  burstGflops: number;
}

export async function benchTrain({ rounds }: { rounds: number }): Promise<{ figures: TrainFigures[]; text: string }> {
  const figures: TrainFigures[] = [];
  for (const threads of [1, 2]) for (const micro of [1, 4]) figures.push(await measure(threads, micro, rounds));
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const rows = figures.map((f) => [
    f.threads,
    `${f.micro} x ${BATCH / f.micro}`,
    f.milliseconds.toFixed(0),
    f.tokensPerSecond.toFixed(0),
    f.gflops.toFixed(1),
    f.matmulGflops.toFixed(1),
    percent(f.share),
    percent(f.processorShare),
    f.burstGflops.toFixed(1),
    percent(f.gflops / f.burstGflops),
  ]);
  const head = [
    "threads",
    "batch",
    "ms a step",
    "tokens/s",
    "GFLOP/s",
    "matmul GFLOP/s",
    "share",
    "by processor time",
    "fastest product",
    "share of it",
  ];
  return { figures, text: table(head, rows) };
}

async function measure(threads: number, micro: number, rounds: number): Promise<TrainFigures> {
  const rows = BATCH / micro;
  const trainer = await createTrainer({ build: (graph) => nextToken(graph, rows), threads, spinning: false });
  const batches = Array.from({ length: micro }, (_, seed) => randomBatch(rows, seed));
  const products = await Promise.all(PRODUCTS.map((sizes) => product(sizes, threads)));
  const flops = stepFlops(trainer);

  const steps: Rate[] = [];
  const matmuls: Rate[] = [];
  let burstGflops = 0;
  await trainer.step(batches, 1e-4);
  for (let round = 0; round < rounds; round++) {
    const step = await rateOf(flops, () => trainer.step(batches, 1e-4));
    const rates: Sustained[] = [];
    for (const run of products) rates.push(await run(flops / step.wall / 1e6));
    matmuls.push({
      wall: Math.max(...rates.map((r) => r.wall)),
      processor: Math.max(...rates.map((r) => r.processor)),
    });
    burstGflops = Math.max(burstGflops, ...rates.map((r) => r.burst));
    steps.push(step);
  }
  await trainer.dispose();

  const middle = (rates: Rate[], by: keyof Rate) => median(rates.map((rate) => rate[by]));
  const gflops = middle(steps, "wall");
  const milliseconds = flops / gflops / 1e6;
  return {
    threads,
    micro,
    milliseconds,
    tokensPerSecond: (BATCH * LENGTH) / (milliseconds / 1000),
    gflops,
    matmulGflops: middle(matmuls, "wall"),
    share: gflops / middle(matmuls, "wall"),
    processorShare: middle(steps, "processor") / middle(matmuls, "processor"),
    burstGflops,
  };
}

/** GFLOP/s, by the clock and by the processor time of all threads together. */
interface Rate {
  wall: number;
  processor: number;
}

async function rateOf(flops: number, work: () => Promise<unknown>): Promise<Rate> {
  const processor = process.cpuUsage();
  const start = performance.now();
  await work();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(processor);
  return { wall: flops / wall / 1e6, processor: flops / (user + system) / 1e3 };
}

function stepFlops({ params }: Trainer): number {
  const matrices = Object.entries(params).filter(([name, { shape }]) => shape.length === 2 && !name.includes("embed"));
  const matmulParams = matrices.reduce((n, [, { shape }]) => n + shape[0] * shape[1], 0);
  return (6 * matmulParams + 12 * LENGTH * config.hiddenSize * config.layers) * BATCH * LENGTH;
}

function nextToken(graph: Graph, rows: number) {
  const ids = graph.input("ids", "int64", [rows, LENGTH]);
  const labels = graph.input("labels", "int64", [rows * LENGTH]);
  const bias = graph.input("bias", "float32", [1, 1, LENGTH, LENGTH]);
  const { hidden } = showoBody(config, { ids, positions: graph.constant(positionsFrom(0, LENGTH)), bias });
  const logits = showoHead(config, reshape(hidden, [rows * LENGTH, config.hiddenSize]));
  const ones = graph.constant(f32([rows * LENGTH], new Float32Array(rows * LENGTH).fill(1)));
  return { loss: crossEntropy(logits, labels, ones) };
}

function randomBatch(rows: number, seed: number): Record<string, NdArray> {
  const rng = new Rng(seed);
  const ids = Array.from({ length: rows * LENGTH }, () => rng.int(vocabularyOf(config).size));
  const bias = f32([1, 1, LENGTH, LENGTH]);
  for (let i = 0; i < LENGTH; i++) bias.data.fill(-Infinity, i * LENGTH + i + 1, (i + 1) * LENGTH);
  return { ids: i64([rows, LENGTH], ids), labels: i64([rows * LENGTH], [...ids.slice(1), ids[0]]), bias };
}

interface Sustained extends Rate {
  /** GFLOP/s of the fastest single product. */
  burst: number;
}

/** A product of these sizes, repeated for so many milliseconds. */
async function product(
  { m, k, n }: (typeof PRODUCTS)[number],
  threads: number,
): Promise<(milliseconds: number) => Promise<Sustained>> {
  const graph = new Graph();
  graph.output("y", matmul(graph.input("a", "float32", [m, k]), graph.input("b", "float32", [k, n])));
  const program = await compile(graph, { threads, spinning: false });
  const half = (rows: number, columns: number) => f32([rows, columns], new Float32Array(rows * columns).fill(0.5));
  const [feeds, into] = [{ a: half(m, k), b: half(k, n) }, { y: half(m, n) }];
  const flops = 2 * m * k * n;
  return async (milliseconds) => {
    let [done, burst] = [0, 0];
    const end = performance.now() + milliseconds;
    const { wall, processor } = await rateOf(flops, async () => {
      for (; done === 0 || performance.now() < end; done++) {
        const start = performance.now();
        await program.run(feeds, into);
        burst = Math.max(burst, flops / (performance.now() - start) / 1e6);
      }
    });
    return { wall: wall * done, processor: processor * done, burst };
  };
}
