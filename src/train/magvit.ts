/** Trains a MAGVIT-v2 tokenizer: reconstruction, commitment and code entropy. */
import type { NdArray } from "../base/index.ts";
import { writeAtomic } from "../files/index.ts";
import {
  abs,
  add,
  div,
  Graph,
  log,
  mean,
  mul,
  reduceMean,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
} from "../graph/index.ts";
import { encodePicture, picture, postprocess, sheet } from "../image/index.ts";
import {
  codeEntropy,
  decodeCodes,
  downsampling,
  encodePixels,
  type MagvitConfig,
  quantizerLosses,
  straightThrough,
} from "../models/magvit/index.ts";
import { type Arrays, compile } from "../runtime/index.ts";
import { cellFocus, pixelsOf } from "./lesson-arrays.ts";
import type { TrainTask } from "./loop.ts";
import type { Source } from "./source.ts";
import type { Objective } from "./step.ts";

export interface MagvitTraining {
  config: MagvitConfig;
  batchSize: number;
  /** Weight of the mean squared error (pixels in [-1, 1]) against the quantiser's own terms. */
  reconstruction: number;
  /** Weight of the entropy over whole codes. */
  entropy: number;
  /** Starts from these weights and trains the decoder alone, so that tokens stay what they are. */
  decoderOf?: Arrays;
}

/** Plain background counts this much for the codebook's use. */
const BACKGROUND_FOCUS = 0.02;

export function magvitTask(
  { config, batchSize, reconstruction, entropy, decoderOf }: MagvitTraining,
  source: Source,
  about: unknown,
): TrainTask {
  const cell = downsampling(config);
  const side = source.pixels / cell;
  return {
    name: "magvit",
    config: about,
    batchSize,
    build(graph): Objective {
      const pixels = graph.input("pixels", "float32", [batchSize, 3, source.pixels, source.pixels]);
      const focus = graph.input("focus", "float32", [batchSize * side * side]);
      const z = encodePixels(pixels, config);
      const drawn = decodeCodes(straightThrough(z), config);
      const error = sub(drawn, pixels);
      const mse = mean(square(error));
      const { commitment } = quantizerLosses(z);
      const spread = codeEntropy(z, focus, entropy);
      const draws = mul(focusedMean(square(error), focus, side, cell), reconstruction);
      const loss = add(add(add(draws, mean(abs(error))), commitment), spread);
      return { loss, metrics: { psnr: psnr(mse), commitment, entropy: spread } };
    },
    async batch(step) {
      const lessons = await source.lessons(step * batchSize, batchSize, "train");
      return { pixels: pixelsOf(lessons), focus: cellFocus(lessons, cell, BACKGROUND_FOCUS) };
    },
    weights: decoderOf,
    frozen: (name) => decoderOf !== undefined && name.startsWith("encoder."),
    decays: () => false,
    sample: (weights, _step, dir) => drawReconstructions(config, weights, source, `${dir}/reconstructions.png`),
  };
}

/** Mean over cells; those with an object count three times as much as the others. */
function focusedMean(values: Tensor, focus: Tensor, side: number, cell: number): Tensor {
  const batch = values.shape[0] as number;
  const perCell = reshape(reduceMean(reshape(values, [batch, 3, side, cell, side, cell]), [1, 3, 5]), [-1]);
  const weight = add(focus, 0.5);
  return div(sum(mul(perCell, weight)), sum(weight));
}

/** Decibels for pixels in [-1, 1]. */
const psnr = (mse: Tensor): Tensor => mul(log(div(4, mse)), 10 / Math.LN10);

/** Held-out pictures and their reconstructions side by side, as a PNG. */
async function drawReconstructions(config: MagvitConfig, weights: Arrays, source: Source, path: string): Promise<void> {
  const lessons = await source.lessons(0, 32, "heldout");
  const drawn = postprocess(await reconstruct(config, (name) => weights[name], pixelsOf(lessons)));
  const pictures = lessons.flatMap(({ width, height, pixels }, i) => [picture(width, height, pixels), drawn[i]]);
  await writeAtomic(path, await encodePicture(sheet(pictures, { columns: 8, gap: 2 }), "png"));
}

/** Pixels [B, 3, H, W] through the tokenizer and back. */
export async function reconstruct(
  config: MagvitConfig,
  weights: (name: string) => NdArray | undefined,
  pixels: NdArray,
): Promise<NdArray<"float32">> {
  const graph = new Graph();
  const z = encodePixels(graph.input("pixels", "float32", pixels.shape), config);
  graph.output("drawn", decodeCodes(straightThrough(z), config));
  const program = await compile(graph, { weights });
  const { drawn } = await program.run({ pixels });
  await program.dispose();
  return drawn as NdArray<"float32">;
}
