/** Trains a multi-scale tokenizer: reconstruction, the quantiser's loss, even use of the codebook. */
import { f32, type NdArray } from "../base/index.ts";
import { writeAtomic } from "../files/index.ts";
import {
  abs,
  add,
  cast,
  concat,
  div,
  equal,
  exp,
  type Graph,
  iota,
  log,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
} from "../graph/index.ts";
import { encodePicture, picture, postprocess, sheet } from "../image/index.ts";
import {
  affinity,
  cellPixels,
  latentOf,
  latentSide,
  type MsvqConfig,
  msvqPrograms,
  pixelsOf,
  quantize,
  quantizerTraining,
} from "../models/msvq/index.ts";
import type { Arrays } from "../runtime/index.ts";
import type { LabelledSource } from "./labelled.ts";
import { cellFocus, pixelsOf as pixelsOfPictures } from "./lesson-arrays.ts";
import type { TrainTask } from "./loop.ts";
import type { Objective } from "./step.ts";

export interface MsvqTraining {
  config: MsvqConfig;
  batchSize: number;
  /** Weight of the mean squared error (pixels in [-1, 1]) against the quantiser's own terms. */
  reconstruction: number;
  /** Weight of the entropy over codes. */
  entropy: number;
  /** Starts from these weights and trains the decoder alone, so that tokens stay what they are. */
  decoderOf?: Arrays;
}

/** Plain background counts this much for the codebook's use, cells of the coarser scales that much. */
const [BACKGROUND_FOCUS, COARSE_FOCUS] = [0.05, 0.3];

export function msvqTask(training: MsvqTraining, source: LabelledSource, about: unknown): TrainTask {
  const { config, batchSize, reconstruction, entropy, decoderOf } = training;
  const cell = cellPixels(config);
  const side = latentSide(config);
  return {
    name: "msvq",
    config: about,
    batchSize,
    build(graph: Graph): Objective {
      const pixels = graph.input("pixels", "float32", [batchSize, 3, source.pixels, source.pixels]);
      const focus = graph.input("focus", "float32", [batchSize * side * side]);
      const f = latentOf(pixels, config);
      const scales = quantize(f, config);
      const { straight, loss: commitment } = quantizerTraining(f, scales);
      const drawn = pixelsOf(straight, config);
      const error = sub(drawn, pixels);
      const draws = add(mul(focusedMean(square(error), focus, side, cell), reconstruction), mean(abs(error)));
      const psnr = mul(log(div(4, mean(square(error)))), 10 / Math.LN10);
      if (decoderOf) return { loss: draws, metrics: { psnr } };
      const spread = codeEntropy(
        f,
        scales.map(({ rest }) => rest),
        focus,
        config,
      );
      const loss = add(add(draws, commitment), mul(spread, entropy));
      const ids = concat(
        scales.map((scale) => reshape(scale.ids, [-1])),
        0,
      );
      return { loss, metrics: { psnr, commitment, codes: codesInUse(ids, config.codebookSize) } };
    },
    batch(step) {
      const pictures = source.pictures(step * batchSize, batchSize, "train");
      return { pixels: pixelsOfPictures(pictures), focus: cellFocus(pictures, cell, BACKGROUND_FOCUS) };
    },
    weights: decoderOf,
    // The codes' own convolutions change what a token adds, so they stay too.
    frozen: (name) => decoderOf !== undefined && !/^(post_quant_conv|decoder)\./.test(name),
    decays: () => false,
    sample: (weights, _step, dir) => drawReconstructions(config, weights, source, `${dir}/reconstructions.png`),
  };
}

/** Mean over cells; those with an object count three times as much as the others. */
function focusedMean(values: Tensor, focus: Tensor, side: number, cell: number): Tensor {
  const batch = Number(values.shape[0]);
  const perCell = reshape(reduceMean(reshape(values, [batch, 3, side, cell, side, cell]), [1, 3, 5]), [-1]);
  const weight = add(focus, 0.5);
  return div(sum(mul(perCell, weight)), sum(weight));
}

/**
 * Mean entropy of the codes a cell may take minus the entropy of their mean: sure choices, evenly spread. The chance of
 * a code falls with its squared distance. The last scale counts by `focus`, the others evenly.
 */
function codeEntropy(f: Tensor, rests: readonly Tensor[], focus: Tensor, config: MsvqConfig): Tensor {
  const { graph } = f;
  const batch = Number(f.shape[0]);
  const logits = concat(
    rests.map((rest) => affinity(rest, config)),
    0,
  );
  const coarse = config.sides.slice(0, -1).reduce((n, side) => n + batch * side * side, 0);
  const even = graph.constant(f32([coarse], new Float32Array(coarse).fill(COARSE_FOCUS)));
  const weight = coarse ? concat([even, focus], 0) : focus;
  const share = reshape(div(weight, sum(weight)), [-1, 1]);
  const logP = logSoftmax(logits);
  const p = exp(logP);
  const average = reduceSum(mul(p, share), [0]);
  const ofCells = neg(sum(mul(mul(p, logP), share)));
  const ofAverage = neg(sum(mul(average, log(maximum(average, 1e-9)))));
  return sub(ofCells, ofAverage);
}

/** Effective number of codes among ids int64 [N]: exp of the entropy of their use. */
function codesInUse(ids: Tensor, codebookSize: number): Tensor {
  const all = reshape(iota(ids, codebookSize), [1, codebookSize]);
  const use = reduceMean(cast(equal(reshape(ids, [-1, 1]), all), "float32"), [0]);
  return exp(neg(sum(mul(use, log(maximum(use, 1e-9))))));
}

/** Held-out pictures and their reconstructions side by side, as a PNG. */
async function drawReconstructions(
  config: MsvqConfig,
  weights: Arrays,
  source: LabelledSource,
  path: string,
): Promise<void> {
  const pictures = source.pictures(0, 32, "heldout");
  const programs = msvqPrograms(config, (name) => weights[name]);
  const { fHats } = await programs.encode(pixelsOfPictures(pictures));
  const drawn = postprocess(await programs.decode(lastOf(fHats)));
  await programs.dispose();
  const pairs = pictures.flatMap(({ width, height, pixels }, i) => [picture(width, height, pixels), drawn[i]]);
  await writeAtomic(path, await encodePicture(sheet(pairs, { columns: 8, gap: 2 }), "png"));
}

/** The map after the last scale, of maps [K, B, Z, P, P]. */
export function lastOf({ shape, data }: NdArray<"float32">): NdArray<"float32"> {
  const [scales, ...map] = shape;
  return f32(map, data.subarray((data.length / scales) * (scales - 1)));
}
