/** Packed dialogues cost what separate rows cost: the same loss, the same gradients. */
import { expect, test } from "vitest";
import { goldenShowo as config } from "../../test/golden-config.ts";
import { readSafetensors } from "../files/index.ts";
import { Graph, gradients } from "../graph/index.ts";
import { imageToTextRow } from "../models/showo/index.ts";
import { compile } from "../runtime/index.ts";
import { packedDialoguesLoss, packedFeeds } from "./packed-dialogues.ts";
import { pretrainFeeds, pretrainLosses } from "./pretrain-losses.ts";

const state = readSafetensors(new URL("../../test/golden-data/show-o/weights.safetensors", import.meta.url).pathname);
const WEIGHT = "showo.model.layers.1.self_attn.k_proj.weight";

async function evaluate(
  build: (graph: Graph) => ReturnType<typeof packedDialoguesLoss>,
  feeds: Parameters<Awaited<ReturnType<typeof compile>>["run"]>[0],
) {
  const graph = new Graph();
  const loss = build(graph);
  graph.output("loss", loss);
  graph.output("gradient", gradients(loss, [graph.params.get(WEIGHT)!.tensor])[0]);
  const program = await compile(graph, { weights: (name) => state.get(name), threads: 1 });
  const out = await program.run(feeds);
  await program.dispose();
  return { loss: Number(out.loss.data[0]), gradient: out.gradient.data as Float32Array };
}

test("three dialogues on each of two pictures equal six rows", async () => {
  const pictures = [0, 1].map((b) => ({
    codes: Array.from({ length: 16 }, (_, i) => (i * 7 + b * 5) % 64),
    dialogues: [
      { text: [3, 4, 5, 6 + b], questionLength: 2 },
      { text: [7, 8, 9, 10, 11, 12, 13], questionLength: 4 },
      { text: [20 + b, 21], questionLength: 1 },
    ],
  }));
  const rows = pictures.flatMap(({ codes, dialogues }) =>
    dialogues.map((d) => imageToTextRow(config, codes, d.text, d.questionLength)),
  );
  const separate = await evaluate(
    (graph) => pretrainLosses(graph, config, { rows: { t2i: 0, lm: 0, mmu: 6 } }).tasks.mmu!,
    pretrainFeeds(config, { t2i: [], lm: [], mmu: rows }),
  );
  const packed = await evaluate(
    (graph) => packedDialoguesLoss(graph, config, { rows: 2, turns: 3 }),
    packedFeeds(config, pictures),
  );
  expect(packed.loss).toBeCloseTo(separate.loss, 5);
  expect(separate.gradient.some((g) => Math.abs(g) > 1e-3)).toBe(true);
  for (const [i, g] of packed.gradient.entries()) expect(Math.abs(g - separate.gradient[i])).toBeLessThan(1e-5);
});

test("answers alike: the loss is the mean over answers of their tokens' mean", async () => {
  const codes = Array.from({ length: 16 }, (_, i) => (i * 7) % 64);
  const dialogues = [
    { text: [7, 8, 9, 10, 11, 12, 13], questionLength: 2 },
    { text: [20, 21], questionLength: 1 },
  ];
  const loss = async (which: typeof dialogues, options?: { answersAlike: boolean }) => {
    const feeds = packedFeeds(config, [{ codes, dialogues: which }], options);
    const shape = { rows: 1, turns: which.length };
    return (await evaluate((graph) => packedDialoguesLoss(graph, config, shape), feeds)).loss;
  };
  const [long, short] = await Promise.all(dialogues.map((one) => loss([one])));
  expect(Math.abs(long - short)).toBeGreaterThan(0.01);
  expect(await loss(dialogues, { answersAlike: true })).toBeCloseTo((long + short) / 2, 5);
  // Six labels of the long answer (one is the end), two of the short one.
  expect(await loss(dialogues)).toBeCloseTo((6 * long + 2 * short) / 8, 5);
});

test("an answer behind a guess of it: the guess is seen, the answer is learnt", async () => {
  const codes = Array.from({ length: 16 }, (_, i) => (i * 7) % 64);
  const text = [3, 4, 5, 6, 7];
  const seen = [3, 4, 9, 6, 3];
  const packed = packedFeeds(config, [{ codes, dialogues: [{ text, questionLength: 2, seen }] }]);
  const row = imageToTextRow(config, codes, seen, 2);
  expect(Array.from(packed["packed/ids"].data, Number)).toEqual(row.ids);
  const learnt = Array.from(packed["packed/labels"].data, Number).filter(
    (_, i) => packed["packed/weights"].data[i] === 1,
  );
  expect(learnt).toEqual([5, 6, 7, config.endOfText]);
});
