/**
 * A model of published or own weights becomes a folder of graphs with external data that loads by path: transformer,
 * picture tokenizer, text tokenizer, configuration and a report of what rounding costs.
 */
import { copyFileSync, existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, type NdArray, sizeOf } from "../base/index.ts";
import {
  bytesIn,
  checkSpace,
  encodeTensors,
  readLora,
  type Safetensors,
  withLora,
  writeAtomic,
  writeJson,
} from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import {
  type LocatedModel,
  locateModel,
  type ModelConfig,
  type ModelSource,
  magvitParameters,
  openWeights,
  showoParameters,
} from "../models/index.ts";
import { buildDecoder, buildEncoder, downsampling } from "../models/magvit/index.ts";
import type { PackedDType } from "../models/showo/index.ts";
import { type ExternalData, writeOnnx } from "../onnx/index.ts";
import type { CalibrationTexts } from "./calibration.ts";
import { openDataFile } from "./data-file.ts";
import { type LayerReport, removeJournal } from "./journal.ts";
import { type PixelReport, quantizeDecoder } from "./pixels.ts";
import { type ConvertProgress, convertTransformer } from "./transformer.ts";

export interface ConvertOptions {
  /** Default: q8 for pictures and q4 for text, which together are `mixed`. */
  dtypes?: readonly PackedDType[];
  /** Token ids of a prompt and of a question, which calibrate the rounding. */
  texts: CalibrationTexts;
  /** Added to the transformer before it is rounded. */
  lora?: string;
  threads?: number;
  signal?: AbortSignal;
  onProgress?: (progress: ConvertProgress) => void;
}

export interface ConvertReport {
  dtypes: readonly PackedDType[];
  layers: LayerReport[];
  /** Of the pixel decoder on 8 bits. */
  pixels?: PixelReport;
  bytes: number;
}

/** Bytes of a weight and its scale. */
const BYTES: Record<PackedDType, number> = { fp32: 4, fp16: 2, q8: 1.05, q4: 0.55 };

/**
 * Writes the folder `out`, which must not exist. Killed, the next call with the same settings goes on. Errors: NOT_FOUND,
 * BAD_FILE, BAD_WEIGHTS, NO_SPACE before anything is written, ABORTED.
 */
export async function convertModel(source: ModelSource, out: string, options: ConvertOptions): Promise<ConvertReport> {
  const { dtypes = ["q8", "q4"], lora } = options;
  const located = locateModel(source);
  if (located.packed) fail("this model is converted already", { where: located.packed });
  if (existsSync(out)) fail("the folder is there already", { where: out, hint: "Name another, or remove it first." });
  const { config } = located;
  const parameters = showoParameters(config.showo);
  const plain = openWeights(located.showo, parameters);
  const weights = lora === undefined ? plain : withLora(plain, readLora(lora));
  const work = `${out}.partial`;
  try {
    const count = [...parameters.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
    const needed = dtypes.reduce((sum, dtype) => sum + BYTES[dtype] * count, 1e6);
    await checkSpace(dirname(out), Math.max(0, needed - bytesIn(work)));
    const from = [located.showo, lora ?? ""].join(" ");
    const layers = await convertTransformer(config.showo, weights, work, { ...options, dtypes, source: from });
    const pixels = await convertTokenizer(located, work, { dtypes, threads: options.threads });
    await writeJson(join(work, "report.json"), { dtypes, layers, pixels });
    await writeConfig(config, work, dtypes);
    await removeJournal(work);
    await rename(work, out);
    return { dtypes, layers, pixels, bytes: bytesIn(out) };
  } finally {
    plain.close();
  }
}

/** The picture tokenizer: programs of the usual grid, and its weights for other grids. */
async function convertTokenizer(
  { config, magvit, textFolder }: LocatedModel,
  work: string,
  { dtypes, threads }: { dtypes: readonly PackedDType[]; threads?: number },
): Promise<PixelReport | undefined> {
  const parameters = magvitParameters(config.magvit);
  const weights = openWeights(magvit, parameters, ["quantize.embedding", "quantize.power_vals"]);
  try {
    const side = config.magvit.resolution / downsampling(config.magvit);
    await writeHalf(weights, work, "vq_encoder", (g) =>
      buildEncoder(config.magvit, g, config.magvit.resolution, config.magvit.resolution),
    );
    const places = await writeHalf(weights, work, "vq_decoder", (g) => buildDecoder(config.magvit, g, side, side));
    const rounded = dtypes.some((dtype) => dtype === "q8" || dtype === "q4");
    const pixels = rounded ? await quantizeDecoder(config.magvit, weights, work, places, threads) : undefined;
    const entries = [...parameters].map(([name, shape]) => ({ name, shape, dtype: "float32" as const }));
    await writeAtomic(
      join(work, "magvit.safetensors"),
      encodeTensors(entries, (name) => [weights.float32(name)], { format: "pt" }),
    );
    copyTexts(textFolder, work);
    return pixels;
  } finally {
    weights.close();
  }
}

function copyTexts(textFolder: string | undefined, work: string): void {
  if (textFolder === undefined) return;
  for (const name of ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
    if (existsSync(join(textFolder, name))) copyFileSync(join(textFolder, name), join(work, name));
}

async function writeHalf(
  weights: Safetensors,
  work: string,
  stem: string,
  build: (graph: Graph) => void,
): Promise<Readonly<Record<string, ExternalData>>> {
  const graph = new Graph();
  build(graph);
  const file = await openDataFile(join(work, "onnx"), stem);
  const one = (name: string): NdArray[] => [weights.float32(name)];
  for (const name of graph.params.keys()) await file.add(name, one(name));
  const { places } = await file.sync();
  await file.close();
  await writeAtomic(join(work, "onnx", `${stem}.onnx`), writeOnnx(graph, { weights: (name) => places[name] }));
  return places;
}

/** Written last but for the rename; tools of the hub read `model_type` and `transformers.js_config`. */
async function writeConfig(config: ModelConfig, work: string, dtypes: readonly PackedDType[]): Promise<void> {
  await rm(join(work, "config.json"), { force: true });
  await writeJson(join(work, "config.json"), {
    model_type: "showo",
    ...config,
    "transformers.js_config": { dtype: dtypes[0], use_external_data_format: true },
  });
}
