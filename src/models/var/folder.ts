/**
 * Next-scale models as folders: var.json (sizes, classes, defaults, which networks there are), a tokenizer and one or
 * more transformers (float16, or converted to graphs), README.md; or as published .pth files. Networks are read when
 * first asked for.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { fail } from "../../base/index.ts";
import { readWeights, writeAtomic, writeJson, writeSafetensors } from "../../files/index.ts";
import { createHost, type HostKind } from "../../runtime/index.ts";
import { MSVQ_PRESETS, type MsvqConfig, type MsvqPrograms, msvqPrograms } from "../msvq/index.ts";
import { MSVQ_IGNORED, msvqParameters } from "../msvq/weights.ts";
import { checkFinite, checkNames, readStateDict, type Shapes, type StateDict } from "../weights.ts";
import { type VarConfig, varConfig } from "./config.ts";
import { packedVarFile, packedVarPrograms } from "./packed.ts";
import { type VarPrograms, varPrograms } from "./programs.ts";
import { varBuffers, varParameters } from "./weights.ts";

const size = z.int().min(1).max(1e6);
const sides = z.array(size.max(256)).min(1).max(32);
const half = z.strictObject({
  ch: size,
  chMult: z.array(size).min(1).max(10),
  numResBlocks: z.array(z.int().min(0).max(100)),
  groups: z.int().min(0),
  attention: z.boolean(),
});
const msvq: z.ZodType<MsvqConfig> = z.strictObject({
  model: z.literal("msvq"),
  encoder: half,
  decoder: half,
  normEps: z.number().positive(),
  zChannels: size,
  codebookSize: size,
  sides,
  phi: z.strictObject({ count: size.max(64), ratio: z.number().min(0).max(1) }),
});
const network: z.ZodType<VarConfig> = z.strictObject({
  model: z.literal("var"),
  width: size,
  depth: size.max(1000),
  heads: size,
  mlpSize: size,
  normEps: z.number().positive(),
  classes: size,
  qkNorm: z.boolean(),
  sharedNorm: z.boolean(),
  sides,
  codebookSize: size,
  zChannels: size,
});
/** In the folder, or in one beside it. */
const file = z
  .string()
  .regex(/^(\.\.\/[\w-]+\/)?[\w-][\w.-]*\.(safetensors|pth|onnx)$/, "not a weights file in or beside this folder");

const settings = z.strictObject({
  /** Name of the model. */
  model: z.string().min(1),
  tokenizer: z.strictObject({ file, config: msvq }),
  /** "drafter" draws alone or first; "refiner", if there is one, goes on. Others belong to pairs. */
  networks: z.record(z.string(), z.strictObject({ file, config: network })),
  /** Networks trained to share the work after so many drafted scales. */
  pairs: z.record(z.string(), z.strictObject({ drafter: z.string(), refiner: z.string() })).default({}),
  classes: z.array(z.string().min(1)).optional(),
  defaults: z.strictObject({
    guidance: z.number().min(0),
    topK: z.int().min(0).default(0),
    topP: z.number().min(0).max(1).default(0),
    /** Scales that the drafter decides; absent: all. */
    draftScales: z.int().min(0).optional(),
  }),
});
export type LabelConfig = z.output<typeof settings>;

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
  const { threads, shared = typeof source !== "string", signal } = options;
  // Caches of gigabytes are not carried to a thread and back.
  const kind = shared ? "inline" : (options.host ?? (converted ? "inline" : "worker"));
  const host = createHost({ host: kind, threads, spinning: false });
  try {
    const { tokenizer } = config;
    const path = pathOf(tokenizer.file);
    const state = await readStateDict(path, msvqParameters(tokenizer.config), { ignored: MSVQ_IGNORED, signal });
    const networks = new Map<string, Promise<VarPrograms>>();
    const open = async (name: string): Promise<VarPrograms> => {
      const known =
        config.networks[name] ??
        fail("the model has no such network", { where, expected: Object.keys(config.networks).join(", "), got: name });
      const path = pathOf(known.file);
      if (isPacked(path)) return packedVarPrograms(known.config, (part) => host.compile(packedVarFile(path, part)));
      const buffers = varBuffers(known.config);
      const weights = await readStateDict(path, varParameters(known.config), { buffers, signal });
      return varPrograms(known.config, (tensor) => weights.get(tensor), { host, shared });
    };
    return {
      config,
      tokenizer: msvqPrograms(tokenizer.config, (tensor) => state.get(tensor), { host }),
      network(name) {
        const known = networks.get(name) ?? open(name);
        networks.set(name, known);
        return known;
      },
      dispose: () => host.dispose(),
    };
  } catch (error) {
    await host.dispose();
    throw error;
  }
}

/** Settings of a model and the paths of its files, nothing read yet. Errors: NOT_FOUND, BAD_FILE. */
export function locateLabelModel(source: string | PublishedFiles): {
  config: LabelConfig;
  pathOf(file: string): string;
  where: string;
} {
  const located = typeof source === "string" ? openFolder(source) : openFiles(source);
  const where = typeof source === "string" ? source : source.drafter;
  checkSizes(located.config, where);
  return { ...located, where };
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
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(where, "utf8"));
  } catch (cause) {
    fail("the settings of the model are not JSON", { where, code: "BAD_FILE", got: (cause as Error).message, cause });
  }
  return { config: settingsOf(json, where), pathOf: (name) => join(folder, name) };
}

function settingsOf(json: unknown, where: string): LabelConfig {
  const parsed = settings.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  return fail("these are not the settings of a next-scale model", {
    where: [where, ...path].join(", "),
    code: "BAD_FILE",
    got: message,
  });
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
  return { config, pathOf: (path) => path };
}

/** Tokenizer, drafter and refiner must speak of the same scales, codes and classes. */
function checkSizes({ tokenizer, networks, pairs, classes, defaults }: LabelConfig, where: string): void {
  const holds = (rule: boolean, expected: string, got: string): void => {
    if (!rule) fail("the networks of this model do not fit each other", { where, code: "BAD_FILE", expected, got });
  };
  const { sides, codebookSize, zChannels, encoder, decoder } = tokenizer.config;
  for (const { chMult, numResBlocks } of [encoder, decoder])
    holds(chMult.length === numResBlocks.length, `${chMult.length} numResBlocks`, `${numResBlocks.length}`);
  holds(networks.drafter !== undefined, "a network named drafter", Object.keys(networks).join(", "));
  const count = classes?.length ?? networks.drafter.config.classes;
  for (const [name, { config }] of Object.entries(networks)) {
    holds(config.sides.join() === sides.join(), `scales of ${sides} (the tokenizer's)`, `${config.sides} of ${name}`);
    holds(config.codebookSize === codebookSize, `${codebookSize} codes`, `${config.codebookSize} of ${name}`);
    holds(config.zChannels === zChannels, `codes of ${zChannels} numbers`, `${config.zChannels} of ${name}`);
    holds(config.classes === count, `${count} classes`, `${config.classes} of ${name}`);
    holds(config.width % config.heads === 0, "a width that the heads share evenly", `${config.width} of ${name}`);
  }
  for (const [scales, pair] of Object.entries(pairs)) {
    const n = Number(scales);
    holds(Number.isInteger(n) && n >= 1 && n < sides.length, `pairs for 1 to ${sides.length - 1} scales`, scales);
    for (const name of [pair.drafter, pair.refiner]) holds(networks[name] !== undefined, "networks of the model", name);
  }
  const { draftScales = sides.length } = defaults;
  holds(draftScales <= sides.length, `at most ${sides.length} drafted scales`, `${draftScales}`);
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
  const config = settingsOf(parts.config, "settings");
  checkSizes(config, "settings");
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
