/**
 * Whole models from their folders: configuration, weights checked strictly, programs on one host. A folder holds
 * config.json, showo.safetensors, magvit.safetensors and tokenizer.json (which is read elsewhere), or is one of the
 * published layout, or one that was converted, whose programs are opened by path.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, parseObject, throwIfAborted } from "../base/index.ts";
import { readLora } from "../files/index.ts";
import { createHost, type HostKind, type SessionOptions } from "../runtime/index.ts";
import { type MagvitPrograms, magvitPrograms } from "./magvit/index.ts";
import { type ModelConfig, modelConfigOf, publishedConfigOf } from "./model-config.ts";
import { openWeights } from "./open-weights.ts";
import { chooseDTypes, type DTypeChoice, openPacked, packedDTypes } from "./packed-model.ts";
import { DEFAULT_MODEL, modelFolder } from "./registry.ts";
import { type PackedDType, packedPrograms, type ShowoPrograms, showoPrograms } from "./showo/index.ts";
import { type Loading, magvitBuffers, magvitParameters, readStateDict, showoParameters } from "./weights.ts";

/** A name of the package, a folder, or the folders of a published Show-o: its own, MAGVIT-v2's, Phi-1.5's tokenizer. */
export type ModelSource = string | { showo: string; magvit: string; tokenizer?: string };

export type Device = NonNullable<SessionOptions["device"]>;

export interface LoadOptions {
  /** Threads of one operator; default: all cores. */
  threads?: number;
  /** Where programs run: a thread of their own (default), so that the event loop stays free, or this one. */
  host?: HostKind;
  /** What computes. Default "auto": in a page WebGPU if there is some, in Node the processor. */
  device?: Device | "auto";
  /** Of a converted model: which of its weights. Default: the most exact that fit, q8 with q4 where both are there. */
  dtype?: DTypeChoice;
  /** Folder or file of a LoRA adapter, added to the weights of a model that is not converted. */
  lora?: string;
  signal?: AbortSignal;
  onProgress?: (progress: Loading) => void;
}

/** The networks of a Show-o and what its folder says of them. */
export interface Networks {
  readonly config: ModelConfig;
  readonly device: Device;
  readonly transformer: ShowoPrograms;
  readonly tokenizer: MagvitPrograms;
  /** Folder with the tokenizer.json of its text; undefined: that of Phi-1.5. */
  readonly textFolder: string | undefined;
  dispose(): Promise<void>;
}

/**
 * Errors: NOT_FOUND for unknown names; BAD_FILE for a config.json or weights that are damaged; BAD_WEIGHTS for missing,
 * unexpected, misshaped or non-finite tensors; ABORTED.
 */
export async function loadNetworks(source: ModelSource = DEFAULT_MODEL, options: LoadOptions = {}): Promise<Networks> {
  const { threads, host: kind = "worker", signal, onProgress } = options;
  const device = deviceOf(options);
  const located = locateModel(source);
  const { config, showo, magvit, textFolder } = located;
  if (located.packed) return loadConverted(located, options);
  if (options.dtype !== undefined && options.dtype !== "auto" && options.dtype !== "fp32")
    fail("this model is not converted", {
      where: showo,
      expected: "dtype fp32",
      got: options.dtype,
      hint: "Convert it: fewstep convert.",
    });
  const adapter = options.lora === undefined ? undefined : readLora(options.lora);
  const transformer = await readStateDict(showo, showoParameters(config.showo), { adapter, signal, onProgress });
  const buffers = magvitBuffers(config.magvit);
  const tokenizer = await readStateDict(magvit, magvitParameters(config.magvit), { buffers, signal, onProgress });
  // Threads that spin while they wait are no faster on an idle machine and a third slower on a busy one.
  const host = createHost({ host: kind, threads, device, spinning: false });
  return {
    config,
    device,
    transformer: showoPrograms(config.showo, (name) => transformer.get(name), { host }),
    tokenizer: magvitPrograms(config.magvit, (name) => tokenizer.get(name), host),
    textFolder,
    dispose: () => host.dispose(),
  };
}

/** What the folder of a model says of it; no weights are read. Errors: NOT_FOUND, BAD_FILE. */
export const readModelConfig = async (source: ModelSource = DEFAULT_MODEL): Promise<ModelConfig> =>
  locateModel(source).config;

async function loadConverted(
  { config, magvit, textFolder, packed }: LocatedModel,
  options: LoadOptions,
): Promise<Networks> {
  const { dtype, lora, threads, host: kind = "worker", signal, onProgress } = options;
  const folder = packed!;
  if (lora !== undefined)
    fail("an adapter cannot be added to weights that are rounded already", {
      where: folder,
      hint: "Convert with it: fewstep convert --lora.",
    });
  const device = deviceOf(options);
  const dtypes = chooseDTypes(folder, config, dtype);
  throwIfAborted(signal);
  const tokenizer = openWeights(magvit, magvitParameters(config.magvit), Object.keys(magvitBuffers(config.magvit)));
  const host = createHost({ host: kind, threads, device, spinning: false });
  const transformer = openPacked(folder, config, dtypes, host);
  onProgress?.({ file: folder, done: 1, total: 1 });
  return {
    config,
    device,
    transformer: packedPrograms(transformer),
    tokenizer: magvitPrograms(config.magvit, (name) => tokenizer.float32(name), host, {
      encode: join(folder, "onnx/vq_encoder.onnx"),
      decode: decoderIn(folder, dtypes),
    }),
    textFolder,
    async dispose() {
      await host.dispose();
      tokenizer.close();
    },
  };
}

/** The pixel decoder on 8 bits where it was close enough, beside transformers of few bits. */
function decoderIn(folder: string, dtypes: readonly PackedDType[]): string {
  const rounded = join(folder, "onnx/vq_decoder_quantized.onnx");
  const small = dtypes.every((dtype) => dtype === "q8" || dtype === "q4");
  return small && existsSync(rounded) ? rounded : join(folder, "onnx/vq_decoder.onnx");
}

const deviceOf = ({ device = "auto" }: LoadOptions): Device => (device === "auto" ? "cpu" : device);

export interface LocatedModel {
  config: ModelConfig;
  /** Weights of the transformer and of the picture tokenizer. */
  showo: string;
  magvit: string;
  /** Folder with the tokenizer.json of its text; undefined: that of Phi-1.5. */
  textFolder: string | undefined;
  /** The folder, when it was converted. */
  packed?: string;
}

/** Finds the files of a model. Errors: NOT_FOUND, BAD_FILE. */
export function locateModel(source: ModelSource): LocatedModel {
  const folder = typeof source === "string" ? modelFolder(source) : source.showo;
  const path = join(folder, "config.json");
  const json = readConfig(path);
  if (json._class_name === "Showo") {
    if (typeof source === "string")
      fail("a published Show-o comes without its image tokenizer", {
        where: folder,
        hint: "Name both folders: loadModel({ showo, magvit, tokenizer }).",
      });
    const config = publishedConfigOf(json, path);
    return { config, showo: weightsIn(folder), magvit: weightsIn(source.magvit), textFolder: source.tokenizer };
  }
  const config = modelConfigOf(json, path);
  const packed = packedDTypes(folder).length ? folder : undefined;
  return {
    config,
    showo: join(folder, "showo.safetensors"),
    magvit: join(folder, "magvit.safetensors"),
    textFolder: existsSync(join(folder, "tokenizer.json")) || packed === undefined ? folder : undefined,
    packed,
  };
}

function readConfig(path: string): Record<string, unknown> {
  if (!existsSync(path))
    fail("the model has no config.json", { where: path, code: "NOT_FOUND", hint: "Name the folder of a model." });
  return parseObject(readFileSync(path, "utf8"), "the configuration", path);
}

/** The weights of a folder of the published layout. */
function weightsIn(folder: string): string {
  const names = ["pytorch_model", "model", "diffusion_pytorch_model"].flatMap((name) => [
    `${name}.safetensors`,
    `${name}.safetensors.index.json`,
    `${name}.bin`,
  ]);
  const found = names.find((name) => existsSync(join(folder, name)));
  if (found === undefined)
    return fail("there are no weights in this folder", {
      where: folder,
      code: "NOT_FOUND",
      expected: names.join(", "),
    });
  return join(folder, found);
}
