/**
 * One training step of a 5.6 M-parameter transformer (width 256, 6 layers, 96 tokens, batch 32, vocabulary 1600) against
 * the matmul rate of the same ONNX Runtime, measured in turns.
 * FLOPs of a step: 6 x matmul parameters x tokens, plus 12 x length x width x layers x tokens for attention.
 */
import { f32, i64, Rng } from "fewstep/base";
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
import { createTrainer } from "fewstep/train";
import { median, table } from "./report.ts";

const [LENGTH, BATCH, SQUARE] = [96, 32, 1024];
const config: ShowoConfig = { ...SHOWO_PRESETS.mini, llmVocabSize: 565, endOfText: 564, codebookSize: 1024 };

export interface TrainFigures {
  threads: number;
  milliseconds: number;
  tokensPerSecond: number;
  gflops: number;
  matmulGflops: number;
  /** Share of the matmul rate. */
  share: number;
}

export async function benchTrain({ rounds }: { rounds: number }): Promise<{ figures: TrainFigures[]; text: string }> {
  const figures: TrainFigures[] = [];
  for (const threads of [1, 2]) figures.push(await measure(threads, rounds));
  const rows = figures.map((f) => [
    f.threads,
    f.milliseconds.toFixed(0),
    f.tokensPerSecond.toFixed(0),
    f.gflops.toFixed(1),
    f.matmulGflops.toFixed(1),
    `${(100 * f.share).toFixed(0)} %`,
  ]);
  const head = ["threads", "ms a step", "tokens/s", "GFLOP/s", "matmul GFLOP/s", "of the matmul rate"];
  return { figures, text: table(head, rows) };
}

async function measure(threads: number, rounds: number): Promise<TrainFigures> {
  const trainer = await createTrainer({ build: nextToken, threads });
  const rng = new Rng(1);
  const ids = Array.from({ length: BATCH * (LENGTH + 1) }, () => rng.int(vocabularyOf(config).size));
  const columns = (from: number) => ids.filter((_, i) => i % (LENGTH + 1) >= from && i % (LENGTH + 1) < from + LENGTH);
  const bias = f32([1, 1, LENGTH, LENGTH]);
  for (let i = 0; i < LENGTH; i++) bias.data.fill(-Infinity, i * LENGTH + i + 1, (i + 1) * LENGTH);
  const batch = { ids: i64([BATCH, LENGTH], columns(0)), labels: i64([BATCH * LENGTH], columns(1)), bias };
  const product = await squareMatmul(threads);

  const [steps, products]: [number[], number[]] = [[], []];
  await trainer.step([batch], 1e-4);
  for (let round = 0; round < rounds; round++) {
    products.push(await product());
    const start = performance.now();
    await trainer.step([batch], 1e-4);
    steps.push(performance.now() - start);
  }
  const names = Object.entries(trainer.params).filter(
    ([name, { shape }]) => shape.length === 2 && !name.includes("embed"),
  );
  const matmulParams = names.reduce((n, [, { shape }]) => n + shape[0] * shape[1], 0);
  await trainer.dispose();

  const tokens = BATCH * LENGTH;
  const flops = 6 * matmulParams * tokens + 12 * LENGTH * config.hiddenSize * config.layers * tokens;
  const milliseconds = median(steps);
  const gflops = flops / milliseconds / 1e6;
  const matmulGflops = median(products);
  return {
    threads,
    milliseconds,
    tokensPerSecond: tokens / (milliseconds / 1000),
    gflops,
    matmulGflops,
    share: gflops / matmulGflops,
  };
}

function nextToken(graph: Graph) {
  const ids = graph.input("ids", "int64", [BATCH, LENGTH]);
  const labels = graph.input("labels", "int64", [BATCH * LENGTH]);
  const bias = graph.input("bias", "float32", [1, 1, LENGTH, LENGTH]);
  const { hidden } = showoBody(config, { ids, positions: graph.constant(positionsFrom(0, LENGTH)), bias });
  const logits = showoHead(config, reshape(hidden, [BATCH * LENGTH, config.hiddenSize]));
  const ones = graph.constant(f32([BATCH * LENGTH], new Float32Array(BATCH * LENGTH).fill(1)));
  return { loss: crossEntropy(logits, labels, ones) };
}

/** GFLOP/s of a square product: the best of a few, as fast as this runtime gets. */
async function squareMatmul(threads: number): Promise<() => Promise<number>> {
  const graph = new Graph();
  const shape = [SQUARE, SQUARE];
  graph.output("y", matmul(graph.input("a", "float32", shape), graph.input("b", "float32", shape)));
  const program = await compile(graph, { threads });
  const a = f32(shape, new Float32Array(SQUARE * SQUARE).fill(0.5));
  return async () => {
    let best = Infinity;
    for (let i = 0; i < 8; i++) {
      const start = performance.now();
      await program.run({ a, b: a });
      best = Math.min(best, performance.now() - start);
    }
    return (2 * SQUARE ** 3) / best / 1e6;
  };
}
