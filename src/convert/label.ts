/** A next-scale model becomes a folder of graphs with external data, its matrices in 8 bits; it loads by path in seconds. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type DType, fail, type NdArray, sizeOf, throwIfAborted } from "../base/index.ts";
import { bytesIn, checkSpace, toFloat16, writeAtomic, writeJson, writeSafetensors } from "../files/index.ts";
import { checkFinite, openWeights } from "../models/index.ts";
import { MSVQ_IGNORED, type MsvqConfig, msvqParameters } from "../models/msvq/index.ts";
import {
  buildPackedVar,
  LABEL_SETTINGS,
  type LabelConfig,
  locateLabelModel,
  PACKED_VAR_PARTS,
  type PublishedFiles,
  packedVarFile,
  packedVarStorage,
  type VarConfig,
  varBuffers,
  varParameters,
} from "../models/var/index.ts";
import { storedArrays } from "../nn/index.ts";
import { writeOnnx } from "../onnx/index.ts";
import { openDataFile } from "./data-file.ts";

export interface LabelConvertOptions {
  signal?: AbortSignal;
  /** After each tensor: how many are written, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

const TOKENIZER = "msvq.safetensors";

/**
 * Writes the folder `out`, which must not exist; killed, the next call starts again. One tensor at a time is in memory.
 * Errors: NOT_FOUND, BAD_FILE, BAD_WEIGHTS, NO_SPACE before anything is written, ABORTED.
 */
export async function convertLabelModel(
  source: string | PublishedFiles,
  out: string,
  { signal, onProgress }: LabelConvertOptions = {},
): Promise<{ bytes: number }> {
  const { config, pathOf, where } = locateLabelModel(source);
  const networks = Object.entries(config.networks);
  if (networks.some(([, { file }]) => file.endsWith(".onnx"))) fail("this model is converted already", { where });
  if (existsSync(out)) fail("the folder is there already", { where: out, hint: "Name another, or remove it first." });
  const shapes = networks.map(([, network]) => varParameters(network.config));
  const total = shapes.reduce((sum, of) => sum + of.size, 0);
  const count = shapes.flatMap((of) => [...of.values()]).reduce((sum, shape) => sum + sizeOf(shape), 0);
  await checkSpace(dirname(out), 1.1 * count + 1e6);

  const work = `${out}.partial`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  const { tokenizer } = config;
  await copyTokenizer(tokenizer.config, pathOf(tokenizer.file), join(work, TOKENIZER));
  let done = 0;
  const converted: LabelConfig["networks"] = {};
  for (const [name, { file, config: sizes }] of networks) {
    converted[name] = { file: `${name}.onnx`, config: sizes };
    const path = pathOf(file);
    const weights = openWeights(path, varParameters(sizes), Object.keys(varBuffers(sizes)));
    const read = (tensor: string) => {
      throwIfAborted(signal);
      onProgress?.({ done: ++done, total });
      return finite(path, tensor, weights.float32(tensor));
    };
    try {
      await packNetwork(sizes, read, join(work, `${name}.onnx`));
    } finally {
      weights.close();
    }
  }
  const card = typeof source === "string" ? pathOf("README.md") : undefined;
  if (card && existsSync(card)) await copyFile(card, join(work, "README.md"));
  const settings: LabelConfig = { ...config, tokenizer: { ...tokenizer, file: TOKENIZER }, networks: converted };
  await writeJson(join(work, LABEL_SETTINGS), settings);
  await rename(work, out);
  return { bytes: bytesIn(out) };
}

async function copyTokenizer(config: MsvqConfig, from: string, to: string): Promise<void> {
  const shapes = msvqParameters(config);
  const weights = openWeights(from, shapes, MSVQ_IGNORED);
  try {
    const tensors = [...shapes.keys()].map((name) => [name, finite(from, name, weights.float32(name))] as const);
    await writeSafetensors(to, Object.fromEntries(tensors), { format: "pt" }, { dtype: "float16" });
  } finally {
    weights.close();
  }
}

function finite(where: string, name: string, values: NdArray<"float32">): NdArray<"float32"> {
  checkFinite(name, values, where);
  return values;
}

/**
 * Writes a network's graphs beside `body` (NAME.onnx), which share one data file. `read` is asked once for each tensor of
 * `varParameters`, one after the other.
 */
export async function packNetwork(
  config: VarConfig,
  read: (name: string) => NdArray<"float32">,
  body: string,
): Promise<void> {
  const file = await openDataFile(dirname(body), basename(body, ".onnx"));
  try {
    const graphs = PACKED_VAR_PARTS.map((part) => [part, buildPackedVar(config, part)] as const);
    const dtypes = new Map(
      graphs.flatMap(([, graph]) => [...graph.params].map(([name, { tensor }]) => [name, tensor.dtype])),
    );
    for (const [name, dtype] of dtypes)
      if (!name.endsWith(".scales"))
        for (const [stored, array] of storedAs(config, name, dtype, read(name))) await file.add(stored, [array]);
    const { places } = await file.sync();
    for (const [part, graph] of graphs)
      await writeAtomic(packedVarFile(body, part), writeOnnx(graph, { weights: (name) => places[name] }));
  } finally {
    await file.close();
  }
}

/** A tensor as its graph asks for it: matrices of linear layers in fewer bits with their scales, all else as it is. */
function storedAs(config: VarConfig, name: string, dtype: DType, values: NdArray<"float32">): [string, NdArray][] {
  if (dtype === "float32") return [[name, values]];
  const layer = name.replace(/\.weight$/, "");
  const stored = storedArrays(values.data, values.shape[1], packedVarStorage(config, layer), toFloat16);
  return [[name, stored.weight], ...(stored.scales ? [[`${layer}.scales`, stored.scales] as [string, NdArray]] : [])];
}
