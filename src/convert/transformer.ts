/**
 * A Show-o's state dict becomes graphs with external data, tensor by tensor and layer by layer. Every layer runs once in
 * float32 on real activations, which say how to scale it, how to store it and what that costs.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { f32, fail, internal, type NdArray, throwIfAborted } from "../base/index.ts";
import { type Safetensors, toFloat16, writeAtomic } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import {
  buildPackedPart,
  CELL_EMBEDDINGS,
  cellRows,
  DTYPES,
  headColumns,
  PACKED_PARTS,
  type PackedDType,
  type PackedPart,
  partFile,
  type ShowoConfig,
  vocabularyOf,
} from "../models/showo/index.ts";
import { type Storage, storedArrays } from "../nn/index.ts";
import { type ExternalData, writeOnnx } from "../onnx/index.ts";
import { type CalibrationTexts, calibrationRows } from "./calibration.ts";
import { type DataFile, type DataState, emptyState, openDataFile } from "./data-file.ts";
import { type Journal, type LayerReport, readJournal, writeJournal } from "./journal.ts";
import {
  errorOf,
  type LayerWeights,
  type Reference,
  type Row,
  referenceLayer,
  smooth,
  storageIn,
  storeLayer,
} from "./layer.ts";

export interface ConvertProgress {
  /** Steps done, and of how many; a step is a layer, the embeddings or a head. */
  done: number;
  total: number;
}

export interface TransformerOptions {
  dtypes: readonly PackedDType[];
  texts: CalibrationTexts;
  /** Names what is converted, so that half a conversion of something else is not taken up. */
  source: string;
  threads?: number;
  signal?: AbortSignal;
  onProgress?: (progress: ConvertProgress) => void;
}

/** A layer whose error is above this is stored with more bits where that is provided. */
const LAYER_ERROR = 0.06;
const ROWS_AT_ONCE = 4096;
const MODEL = "showo.model";
const CELLS = `${MODEL}.${CELL_EMBEDDINGS}.weight`;

/**
 * Writes `onnx/*` below `folder`, which is kept when the conversion is cut short and taken up by the next call.
 * Errors: BAD_WEIGHTS for numbers that are not finite, NO_SPACE, ABORTED.
 */
export async function convertTransformer(
  config: ShowoConfig,
  weights: Safetensors,
  folder: string,
  options: TransformerOptions,
): Promise<LayerReport[]> {
  const { dtypes, texts, signal, onProgress, threads } = options;
  const settings = JSON.stringify({ source: options.source, config, dtypes, texts });
  const noted = readJournal(folder, settings);
  // What another conversion left is of no use.
  if (!noted) await rm(join(folder, "onnx"), { recursive: true, force: true });
  await mkdir(join(folder, "onnx"), { recursive: true }).catch((cause: Error) =>
    fail("the folder cannot be made", { where: folder, code: "NO_SPACE", got: cause.message, cause }),
  );
  const journal = noted ?? fresh(settings);
  const files = new Map<string, DataFile>();
  for (const dtype of dtypes)
    for (const part of PACKED_PARTS) {
      const stem = stemOf(part, dtype);
      files.set(stem, await openDataFile(join(folder, "onnx"), stem, journal.data[stem]));
    }
  const job: Job = { config, weights, dtypes, files, journal, rows: calibrationRows(config, texts), threads };
  try {
    await runSteps(job, folder, { signal, onProgress });
  } finally {
    for (const file of files.values()) await file.close();
  }
  for (const dtype of dtypes) for (const part of PACKED_PARTS) await writeGraph(job, folder, part, dtype);
  return journal.report;
}

interface Job {
  config: ShowoConfig;
  weights: Safetensors;
  dtypes: readonly PackedDType[];
  files: ReadonlyMap<string, DataFile>;
  journal: Journal;
  rows: ReturnType<typeof calibrationRows>;
  threads?: number;
}

const fresh = (settings: string): Journal => ({ settings, done: 0, data: {}, report: [], activations: [] });
const stemOf = (part: PackedPart, dtype: PackedDType): string =>
  partFile(part, dtype)
    .replace(/^onnx\//, "")
    .replace(/\.onnx$/, "");
const fileOf = ({ files }: Job, part: PackedPart, dtype: PackedDType): DataFile => files.get(stemOf(part, dtype))!;

async function runSteps(
  job: Job,
  folder: string,
  { signal, onProgress }: Pick<TransformerOptions, "signal" | "onProgress">,
): Promise<void> {
  const { journal, config } = job;
  const reference = await referenceLayer(config, job.threads);
  const steps: (() => Promise<void>)[] = [
    () => embed(job),
    ...Array.from({ length: config.layers }, (_, l) => () => convertLayer(job, l, reference.run)),
    () => finish(job),
    () => convertHead(job, "image"),
    () => convertHead(job, "text"),
  ];
  try {
    for (; journal.done < steps.length; ) {
      onProgress?.({ done: journal.done, total: steps.length });
      throwIfAborted(signal);
      await steps[journal.done]();
      for (const [stem, file] of job.files) journal.data[stem] = await file.sync();
      journal.done++;
      await writeJournal(folder, journal);
    }
    onProgress?.({ done: steps.length, total: steps.length });
  } finally {
    await reference.dispose();
  }
}

/** One tensor in pieces of rows, as float32, every number finite. */
function* rowsOf({ weights }: Job, name: string, start: number, end: number): Generator<NdArray<"float32">> {
  for (let row = start; row < end; row += ROWS_AT_ONCE)
    yield finite(name, weights.rows(name, row, Math.min(row + ROWS_AT_ONCE, end)));
}

function finite(name: string, array: NdArray<"float32">): NdArray<"float32"> {
  const { data } = array;
  // A sum is finite only if every number is, unless it overflows by itself, which no sane weights do.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i];
  if (!Number.isFinite(sum))
    fail(`tensor "${name}" holds numbers that are not finite`, {
      code: "BAD_WEIGHTS",
      hint: "The training that wrote them diverged, or the file was damaged.",
    });
  return array;
}

/** The embeddings, and the activations that the first layer gets. */
async function embed(job: Job): Promise<void> {
  const { config, dtypes, weights, rows, journal } = job;
  const name = `${MODEL}.embed_tokens.weight`;
  const { size } = vocabularyOf(config);
  for (const dtype of dtypes) {
    const storage = DTYPES[dtype].embeddings;
    const pieces = function* () {
      for (const { data } of rowsOf(job, name, 0, size))
        yield storedArrays(data, config.hiddenSize, storage, toFloat16).weight;
    };
    await fileOf(job, "body", dtype).add(name, pieces());
  }
  const cells = config.cellEmbeddings ? finite(CELLS, weights.float32(CELLS)) : undefined;
  if (cells) for (const dtype of dtypes) await fileOf(job, "body", dtype).add(CELLS, [cells]);
  const width = config.hiddenSize;
  journal.activations = rows.map(({ ids }) => {
    const x = f32([1, ids.length, width]);
    for (const [i, id] of ids.entries()) x.data.set(weights.rows(name, id, id + 1).data, i * width);
    if (cells)
      for (const [i, row] of cellRows(config, ids).entries())
        for (let j = 0; j < width; j++) x.data[i * width + j] += cells.data[row * width + j];
    return x;
  });
}

async function convertLayer(
  job: Job,
  l: number,
  run: (weights: LayerWeights, rows: readonly Row[]) => Promise<Reference>,
): Promise<void> {
  const { weights, journal, dtypes } = job;
  const prefix = `${MODEL}.layers.${l}.`;
  const names = weights.names.filter((name) => name.startsWith(prefix));
  const layer: LayerWeights = new Map(
    names.map((name) => [name.slice(prefix.length), finite(name, weights.float32(name))]),
  );
  const rows: Row[] = job.rows.map(({ bias }, i) => ({ x: journal.activations[i], bias }));
  const reference = await run(layer, rows);
  for (const dtype of dtypes) {
    const { stored, report } = await storeWell(job, layer, rows, reference, dtype, l);
    for (const [name, array] of stored) await fileOf(job, "body", dtype).add(prefix + name, [array]);
    journal.report.push(report);
  }
  journal.activations = reference.out;
}

/** Stores a layer in the first way that is exact enough, or in the last. */
async function storeWell(
  { config, threads }: Job,
  layer: LayerWeights,
  rows: readonly Row[],
  reference: Reference,
  dtype: PackedDType,
  l: number,
): Promise<{ stored: Map<string, NdArray>; report: LayerReport }> {
  const choices = DTYPES[dtype].layers;
  for (const [i, choice] of choices.entries()) {
    const scaled = choice.all === "int8" ? smooth(layer, reference.peaks) : layer;
    const stored = storeLayer(scaled, choice);
    const error = await errorOf(config, stored, choice, rows, reference, threads);
    if (error <= LAYER_ERROR || i === choices.length - 1) return { stored, report: { layer: l, dtype, error, choice } };
  }
  return internal("a dtype without a way to store layers");
}

async function finish(job: Job): Promise<void> {
  for (const dtype of job.dtypes)
    for (const part of ["weight", "bias"]) {
      const name = `${MODEL}.final_layernorm.${part}`;
      await fileOf(job, "body", dtype).add(name, [finite(name, job.weights.float32(name))]);
    }
}

/** The rows of the head that one modality needs. */
async function convertHead(job: Job, of: "image" | "text"): Promise<void> {
  const { config, dtypes, weights } = job;
  const { start, end } = headColumns(config, of);
  const name = "showo.lm_head.weight";
  for (const dtype of dtypes) {
    const file = fileOf(job, `${of}_head`, dtype);
    const scales: NdArray[] = [];
    const pieces = function* () {
      for (const { data } of rowsOf(job, name, start, end)) {
        const stored = storedArrays(data, config.hiddenSize, DTYPES[dtype].heads, toFloat16);
        if (stored.scales) scales.push(stored.scales);
        yield stored.weight;
      }
    };
    await file.add(name, pieces());
    if (scales.length) await file.add("showo.lm_head.scales", scales);
    const bias = finite("showo.lm_head.bias", weights.float32("showo.lm_head.bias")).data.slice(start, end);
    await file.add("showo.lm_head.bias", [f32([end - start], bias)]);
  }
}

async function writeGraph(
  { config, journal }: Job,
  folder: string,
  part: PackedPart,
  dtype: PackedDType,
): Promise<void> {
  const graph = new Graph();
  const choices = journal.report.filter((entry) => entry.dtype === dtype).map(({ choice }) => choice);
  const linear = (name: string): Storage => {
    const [, l, layer] = /\.layers\.(\d+)\.(.+)$/.exec(name) ?? [];
    return l === undefined ? DTYPES[dtype].heads : storageIn(choices[Number(l)], layer);
  };
  buildPackedPart(config, graph, part, { linear, embeddings: DTYPES[dtype].embeddings });
  const { places }: DataState = journal.data[stemOf(part, dtype)] ?? emptyState();
  const weights = (name: string): ExternalData => places[name] ?? internal(`the conversion wrote no "${name}"`);
  await writeAtomic(join(folder, partFile(part, dtype)), writeOnnx(graph, { weights }));
}
