/** fewstep eval code: speed, memory and quality of collaborative decoding for each number of drafted scales. */
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { type CodeFigures, detectorJudge, evaluateCode, type Look } from "../evaluate/index.ts";
import { picture } from "../image/index.ts";
import { DETECTORS, loadDetector } from "../models/detector/index.ts";
import { loadAtlas } from "../scenes/index.ts";
import { type LabelOptions, loadLabelModel } from "../tasks/index.ts";
import { objectSource } from "../train/index.ts";
import { circumstances, shown } from "./eval-about.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";
import { progressBar } from "./shell/progress.ts";

interface Options {
  model: string;
  drafter?: string;
  refiner?: string;
  draftScales?: number;
  images: number;
  batch: number;
  seed: number;
  guidance?: number;
  topK?: number;
  topP?: number;
  threads?: number;
  json?: boolean;
}

export function code(command: Command, io: Io): void {
  command
    .command("code")
    .description("drawing classes with a large drafter and a small refiner: speed, memory, quality by drafted scales")
    .option("--model <name>", "a next-scale model", "code-mini")
    .option("--drafter <network>", "network of the model that drafts (default: by the number of scales)")
    .option("--refiner <network>", "network of the model that refines")
    .option("--draft-scales <count>", "scales that the drafter decides (default: one row for each number)", number)
    .option("--images <count>", "pictures for each row", number, 512)
    .option("--batch <count>", "pictures drawn together", number, 8)
    .option("--seed <number>", "of the first picture", number, 1000)
    .option("--guidance <weight>", "guidance of the last scale (default: by the model)", number)
    .option("--top-k <count>", "draw from the k most likely codes only", number)
    .option("--top-p <mass>", "then from the smallest set of them with more than this mass", number)
    .option("--threads <count>", "processor threads (default: all)", number)
    .option("--json", "print one JSON object instead of text")
    .action((options: Options) => measure(options, io));
}

async function measure(options: Options, io: Io): Promise<void> {
  const { images, batch: batchSize, seed, guidance, topK, topP, threads } = options;
  for (const [name, value] of Object.entries({ images, batch: batchSize }))
    if (!(Number.isInteger(value) && value >= 2))
      fail(`bad number of ${name}`, { where: `--${name}`, expected: "a whole number of at least 2", got: `${value}` });
  const detector = await loadDetector(DETECTORS.objects);
  const judge = detectorJudge(detector);
  // In this thread, where the memory of the process can be seen between scales.
  const open = () => loadLabelModel(options.model, { threads, host: "inline", signal: io.signal });
  const bar = progressBar(io, "pictures");
  try {
    const { config, dispose } = await open();
    await dispose();
    const real = await looksAtScenes(judge, images, seed, detector.config.resolution);
    const plans = plansOf(options, config, config.tokenizer.config.sides.length);
    const rows: (CodeFigures & { pair: string })[] = [];
    for (const [i, { name, ...plan }] of plans.entries()) {
      const onProgress = (done: number) => bar.show(i * images + done, plans.length * images);
      const how = { images, seed, batchSize, guidance, topK, topP, judge, real, signal: io.signal, onProgress };
      // A row shall not count networks and buffers of the one before it.
      const model = await open();
      try {
        rows.push({ ...(await evaluateCode(model, { ...plan, ...how })), pair: name });
      } finally {
        await model.dispose();
      }
    }
    bar.clear();
    const report = { model: options.model, seed, rows, ...circumstances() };
    await io.out(options.json ? `${JSON.stringify(report)}\n` : `${rows.map(lineOf).join("\n")}\n`);
  } finally {
    bar.clear();
    await detector.dispose();
  }
}

interface Plan extends Pick<LabelOptions, "draftScales" | "pair"> {
  name: string;
}

/** One row for each number of scales, one more where a pair was trained for it; or what was asked for. */
export function plansOf(
  { drafter, refiner, draftScales }: Pick<Options, "drafter" | "refiner" | "draftScales">,
  { pairs }: { pairs: Record<string, unknown> },
  scales: number,
): Plan[] {
  const counts = draftScales === undefined ? Array.from({ length: scales + 1 }, (_, i) => scales - i) : [draftScales];
  if (drafter !== undefined || refiner !== undefined) {
    const pair = { drafter: drafter ?? "drafter", refiner: refiner ?? "refiner" };
    return counts.map((count) => ({ draftScales: count, pair, name: `${pair.drafter} + ${pair.refiner}` }));
  }
  return counts.flatMap((count): Plan[] => [
    { draftScales: count, pair: "free", name: "free" },
    ...(String(count) in pairs ? [{ draftScales: count, pair: "specialised" as const, name: "specialised" }] : []),
  ]);
}

/** What the judge sees in pictures that no model drew: the same classes in turn, of a stream training never sees. */
export async function looksAtScenes(
  judge: (pixels: ReturnType<typeof picture>) => Promise<Look>,
  images: number,
  seed: number,
  pixels: number,
): Promise<Look[]> {
  const source = objectSource({ atlas: await loadAtlas(), seed, pixels });
  const looks: Look[] = [];
  for (let first = 0; first < images; first += 64)
    for (const one of source.pictures(first, Math.min(64, images - first), "heldout"))
      looks.push(await judge(picture(one.width, one.height, one.pixels)));
  return looks;
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

const lineOf = (row: CodeFigures & { pair: string }): string =>
  [
    `${row.draftScales} drafted, ${row.pair}`.padEnd(24),
    `${row.imagesPerSecond.toFixed(2)} pictures/s`,
    `${row.imagesPerSecondWithoutPixels.toFixed(2)} without pixels`,
    `cache ${megabytes(row.cacheBytes)}`,
    `memory ${megabytes(row.peakMemory)}`,
    `distance ${row.frechet.toFixed(3)}`,
    `class right ${shown(row.accuracy)}`,
  ].join("  ");
