/**
 * Collaborative decoding measured: for a number of drafted scales, speed with and without the pixel decoder, memory, and
 * how good the pictures are by a network that looks at them.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import { type Picture, preprocess } from "../image/index.ts";
import { generateClasses, type LabelModel, type LabelOptions } from "../tasks/index.ts";
import { frechetDistance } from "./frechet.ts";
import { type Share, shareOf } from "./interval.ts";

/** What a judge sees in a picture. A detector gives both. */
export interface Look {
  features: Float32Array;
  /** Name of the class it is surest of; undefined: nothing was seen. */
  seen: string | undefined;
}

export interface CodeOptions extends Pick<LabelOptions, "draftScales" | "pair" | "guidance" | "topK" | "topP"> {
  /** Pictures to draw, the classes in turn. */
  images: number;
  seed: number;
  /** Pictures drawn together. */
  batchSize: number;
  judge(pixels: Picture): Promise<Look>;
  /** What the judge sees in real pictures (see `looks`). */
  real: readonly Look[];
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface CodeFigures {
  draftScales: number;
  images: number;
  batchSize: number;
  /** With drawing the pixels, and without. */
  imagesPerSecond: number;
  imagesPerSecondWithoutPixels: number;
  /** Most bytes of keys and values at once. */
  cacheBytes: number;
  /** Most bytes that the process had while drawing, looked at after every scale. */
  peakMemory: number;
  /** Fréchet distance to the real pictures, in the judge's features. */
  frechet: number;
  /** Pictures in which the judge is surest of the class that was asked for. */
  accuracy: Share;
}

/** Errors: a model without names of classes; as `generateClasses`. */
export async function evaluateCode(model: LabelModel, options: CodeOptions): Promise<CodeFigures> {
  const { images, seed, batchSize, judge, real, signal, onProgress, ...how } = options;
  const names = model.config.classes ?? fail("the model does not name its classes", { where: model.config.model });
  const scales = model.tokenizer.config.sides.length;
  // Programs are compiled before the clock starts.
  await generateClasses(model, names.slice(0, batchSize), { ...how, seed, batchSize, signal });
  const drawn: Look[] = [];
  let [right, total, pixels, cacheBytes, peakMemory] = [0, 0, 0, 0, 0];
  for (let first = 0; first < images; first += batchSize) {
    throwIfAborted(signal);
    const labels = Array.from(
      { length: Math.min(batchSize, images - first) },
      (_, i) => names[(first + i) % names.length],
    );
    const run = generateClasses(model, labels, { ...how, seed: seed + first, batchSize, signal });
    for await (const _ of run) peakMemory = Math.max(peakMemory, process.memoryUsage.rss());
    const result = await run;
    total += result.timings.total;
    pixels += result.timings.decode ?? 0;
    cacheBytes = Math.max(cacheBytes, result.cacheBytes);
    for (const [i, picture] of result.images.entries()) {
      const look = await judge(picture);
      drawn.push(look);
      right += Number(look.seen === labels[i]);
    }
    onProgress?.(drawn.length, images);
  }
  const features = (looks: readonly Look[]) => looks.map((look) => look.features);
  return {
    draftScales: how.draftScales ?? model.config.defaults.draftScales ?? scales,
    images,
    batchSize,
    imagesPerSecond: (1000 * images) / total,
    imagesPerSecondWithoutPixels: (1000 * images) / (total - pixels),
    cacheBytes,
    peakMemory,
    frechet: frechetDistance(features(drawn), features(real)),
    accuracy: shareOf(right, images),
  };
}

/** A detector, as far as it is asked here. */
interface Eyes {
  readonly config: { readonly resolution: number };
  look(pixels: ReturnType<typeof preprocess>): Promise<{
    found: readonly { class: string; score: number }[];
    features: Float32Array;
  }>;
}

/** A judge that is surest of what a detector finds first. */
export const detectorJudge =
  (detector: Eyes): CodeOptions["judge"] =>
  async (pixels) => {
    const { found, features } = await detector.look(preprocess(pixels, detector.config.resolution));
    return { features, seen: found[0]?.class };
  };
