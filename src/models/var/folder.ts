/**
 * Next-scale models as folders: var.json (sizes, classes, defaults, which networks there are), a tokenizer and one or
 * more transformers (float16, or converted to graphs), README.md; or as published .pth files. Networks are read when
 * first asked for.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, parseObject } from "../../base/index.ts";
import { readWeights, writeAtomic, writeJson, writeSafetensors } from "../../files/index.ts";
import { createHost, type HostKind } from "../../runtime/index.ts";
import { MSVQ_PRESETS, type MsvqPrograms, msvqPrograms } from "../msvq/index.ts";
import { MSVQ_IGNORED, msvqParameters } from "../msvq/weights.ts";
import { checkFinite, checkNames, type Loading, readStateDict, type Shapes, type StateDict } from "../weights.ts";
import { type VarConfig, varConfig } from "./config.ts";
import { checkSizes, type LabelConfig, labelConfigOf } from "./label-config.ts";
import { networksOf } from "./networks.ts";
import { packedVarFile, packedVarPrograms } from "./packed.ts";
import { type VarPrograms, varPrograms } from "./programs.ts";
import { varBuffers, varParameters } from "./weights.ts";

export interface LabelNetworks {
  readonly config: LabelConfig;
  readonly tokenizer: MsvqPrograms;
  /** A transformer by its name. Errors: no such network, BAD_WEIGHTS. */
  network(name: string): Promise<VarPrograms>;
  dispose(): Promise<void>;
}

export interface LabelLoadOptions {
  threads?: number;
  /** Where programs run: a thread of their own (default) or this one. */
  host?: HostKind;
  /** One copy of the weights for all programs, in this thread; default for published files, which have gigabytes. */
  shared?: boolean;
  signal?: AbortSignal;
  /** Of files as they are read (Node: tensors) or fetched (in a page: bytes). */
  onProgress?: (progress: Loading) => void;
}

/** Published files: the tokenizer, a transformer, and a smaller one to refine with. */
export interface PublishedFiles {
  vae: string;
  drafter: string;
  refiner?: string;
}

// The weights lie in the package root, three folders up from src/models/var and from dist/models/var alike.
const WEIGHTS = fileURLToPath(new URL("../../../weights/", import.meta.url));
export const LABEL_SETTINGS = "var.json";

/** Names of the next-scale models that the package carries. */
export const embeddedLabelModels = (): string[] =>
  existsSync(WEIGHTS) ? readdirSync(WEIGHTS).filter((name) => existsSync(join(WEIGHTS, name, LABEL_SETTINGS))) : [];

/** The folder of a next-scale model by its name or path, if there is one. */
export const labelModelFolder = (nameOrFolder: string): string | undefined =>
  [join(WEIGHTS, nameOrFolder), nameOrFolder].find((folder) => existsSync(join(folder, LABEL_SETTINGS)));

/** Opens a model. Errors: NOT_FOUND; BAD_FILE where sizes contradict each other; BAD_WEIGHTS when a network is read. */
export async function loadLabelNetworks(
  source: string | PublishedFiles,
  options: LabelLoadOptions = {},
): Promise<LabelNetworks> {
  const { config, pathOf, where } = locateLabelModel(source);
  const converted = Object.values(config.networks).some(({ file }) => isPacked(file));
  const { threads, shared = typeof source !== "string", signal, onProgress } = options;
  // Caches of gigabytes are not carried to a thread and back.
  const kind = shared ? "inline" : (options.host ?? (converted ? "inline" : "worker"));
  const host = createHost({ host: kind, threads, spinning: false });
  try {
    const { tokenizer } = config;
    const path = pathOf(tokenizer.file);
    const state = await readStateDict(path, msvqParameters(tokenizer.config), {
      ignored: MSVQ_IGNORED,
      signal,
      onProgress,
    });
    const network = networksOf(config, where, async ({ file, config }) => {
      const path = pathOf(file);
      if (isPacked(path)) return packedVarPrograms(config, (part) => host.compile(packedVarFile(path, part)));
      const buffers = varBuffers(config);
      const weights = await readStateDict(path, varParameters(config), { buffers, signal, onProgress });
      return varPrograms(config, (tensor) => weights.get(tensor), { host, shared });
    });
    return {
      config,
      tokenizer: msvqPrograms(tokenizer.config, (tensor) => state.get(tensor), { host }),
      network,
      dispose: () => host.dispose(),
    };
  } catch (error) {
    await host.dispose();
    throw error;
  }
}

/** Settings of a model; no weights are read, but the headers of published ones. Errors: NOT_FOUND, BAD_FILE. */
export const readLabelConfig = async (source: string | PublishedFiles): Promise<LabelConfig> =>
  locateLabelModel(source).config;

/** Settings of a model and the paths of its files, nothing read yet. Errors: NOT_FOUND, BAD_FILE. */
export function locateLabelModel(source: string | PublishedFiles): {
  config: LabelConfig;
  pathOf(file: string): string;
  where: string;
} {
  const located = typeof source === "string" ? openFolder(source) : openFiles(source);
  return { ...located, where: typeof source === "string" ? source : source.drafter };
}

const isPacked = (file: string): boolean => file.endsWith(".onnx");

function openFolder(nameOrFolder: string): { config: LabelConfig; pathOf(file: string): string } {
  const folder =
    labelModelFolder(nameOrFolder) ??
    fail(`there is no next-scale model "${nameOrFolder}"`, {
      code: "NOT_FOUND",
      expected: `${embeddedLabelModels().join(", ") || "a name"}, or a folder that holds ${LABEL_SETTINGS}`,
    });
  const where = join(folder, LABEL_SETTINGS);
  const json = parseObject(readFileSync(where, "utf8"), "the configuration", where);
  return { config: labelConfigOf(json, where), pathOf: (name) => join(folder, name) };
}

/** Published transformers tell their depth by their blocks and their pictures by their modulations. */
function openFiles({ vae, drafter, refiner }: PublishedFiles): { config: LabelConfig; pathOf(file: string): string } {
  const sized = (path: string): VarConfig => {
    const weights = readWeights(path);
    try {
      const depth = new Set(weights.names.flatMap((name) => /^blocks\.(\d+)\./.exec(name)?.[1] ?? [])).size;
      if (!depth) fail("this is no next-scale transformer", { where: path, code: "BAD_WEIGHTS" });
      return varConfig(depth, { pixels: weights.has("shared_ada_lin.1.weight") ? 512 : 256 });
    } finally {
      weights.close();
    }
  };
  const main = sized(drafter);
  const tokenizer = { ...MSVQ_PRESETS.vae, sides: main.sides };
  const networks: LabelConfig["networks"] = { drafter: { file: drafter, config: main } };
  if (refiner !== undefined) networks.refiner = { file: refiner, config: sized(refiner) };
  const defaults = { guidance: 4, topK: 900, topP: 0.95, ...(refiner && { draftScales: main.sides.length - 2 }) };
  const config = {
    model: `var-d${main.depth}`,
    tokenizer: { file: vae, config: tokenizer },
    networks,
    pairs: {},
    defaults,
  };
  checkSizes(config, drafter);
  return { config, pathOf: (path) => path };
}

export interface LabelParts {
  config: LabelConfig;
  tokenizer: StateDict;
  networks: Readonly<Record<string, StateDict>>;
  /** The model card, Markdown. */
  card: string;
}

/** Writes a model's folder, settings last. Networks that lie elsewhere are not written. Errors: what loading refuses. */
export async function saveLabelModel(folder: string, parts: LabelParts): Promise<void> {
  const config = labelConfigOf(parts.config, "settings");
  await mkdir(folder, { recursive: true });
  const write = async (name: string, state: StateDict, shapes: Shapes): Promise<void> => {
    if (name.includes("/")) return;
    checkNames(new Map([...state].map(([key, { shape }]) => [key, { shape, float: true }])), shapes, name);
    const tensors = Object.fromEntries([...shapes.keys()].map((key) => [key, state.get(key)!]));
    for (const [key, tensor] of Object.entries(tensors)) checkFinite(key, tensor, name);
    await writeSafetensors(join(folder, name), tensors, { format: "pt" }, { dtype: "float16" });
  };
  await write(config.tokenizer.file, parts.tokenizer, msvqParameters(config.tokenizer.config));
  for (const [name, { file, config: sizes }] of Object.entries(config.networks))
    await write(file, parts.networks[name], varParameters(sizes));
  await writeAtomic(join(folder, "README.md"), parts.card);
  await writeJson(join(folder, LABEL_SETTINGS), config);
}
