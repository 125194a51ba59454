/// <reference lib="dom" />
/** Next-scale models in a page: the one that the package carries, or the address of a folder. Networks are fetched when first asked for. */
import { fail, parseObject } from "../../base/index.ts";
import { fetchBytes, fetchWeights } from "../../files/index.web.ts";
import { createHost } from "../../runtime/index.ts";
import { msvqPrograms } from "../msvq/index.ts";
import { MSVQ_IGNORED, msvqParameters } from "../msvq/weights.ts";
import { readStateDict } from "../weights.ts";
import type { LabelLoadOptions, LabelNetworks, LabelParts, PublishedFiles } from "./folder.ts";
import { type LabelConfig, labelConfigOf } from "./label-config.ts";
import { networksOf } from "./networks.ts";
import { varPrograms } from "./programs.ts";
import { varBuffers, varParameters } from "./weights.ts";

export type { LabelLoadOptions, LabelNetworks, LabelParts, PublishedFiles } from "./folder.ts";
export type { LabelConfig } from "./label-config.ts";

export const LABEL_SETTINGS = "var.json";

// Written out, because that is how bundlers find the files and take them along.
const EMBEDDED: Readonly<Record<string, () => Readonly<Record<string, string>>>> = {
  "code-mini": () => ({
    "var.json": new URL("../../../weights/code-mini/var.json", import.meta.url).href,
    "msvq.safetensors": new URL("../../../weights/code-mini/msvq.safetensors", import.meta.url).href,
    "drafter.safetensors": new URL("../../../weights/code-mini/drafter.safetensors", import.meta.url).href,
    "drafter-3.safetensors": new URL("../../../weights/code-mini/drafter-3.safetensors", import.meta.url).href,
    "drafter-4.safetensors": new URL("../../../weights/code-mini/drafter-4.safetensors", import.meta.url).href,
    "refiner.safetensors": new URL("../../../weights/code-mini/refiner.safetensors", import.meta.url).href,
    "refiner-3.safetensors": new URL("../../../weights/code-mini/refiner-3.safetensors", import.meta.url).href,
    "refiner-4.safetensors": new URL("../../../weights/code-mini/refiner-4.safetensors", import.meta.url).href,
  }),
};

export const embeddedLabelModels = (): string[] => Object.keys(EMBEDDED);
export const labelModelFolder = (name: string): string | undefined => (name in EMBEDDED ? name : undefined);

/** Addresses of a model's files, given its name or the address of its folder. */
function addresses(source: string | PublishedFiles): (file: string) => string {
  if (typeof source !== "string")
    return fail("a page loads models by name or by the address of their folder", { got: JSON.stringify(source) });
  const embedded = EMBEDDED[source]?.();
  const folder = new URL(source.replace(/\/?$/, "/"), document.baseURI);
  return (file) => embedded?.[file] ?? new URL(file, folder).href;
}

/** What a model's var.json says; no weights are fetched. Errors: NOT_FOUND, BAD_FILE, ABORTED. */
export async function readLabelConfig(source: string | PublishedFiles, signal?: AbortSignal): Promise<LabelConfig> {
  const where = addresses(source)(LABEL_SETTINGS);
  const text = new TextDecoder().decode(await fetchBytes(where, { signal }));
  return labelConfigOf(parseObject(text, "the configuration", where), where);
}

/** Opens a model. Errors: NOT_FOUND, BAD_FILE; BAD_WEIGHTS also when a network is read; ABORTED. */
export async function loadLabelNetworks(
  source: string | PublishedFiles,
  options: LabelLoadOptions = {},
): Promise<LabelNetworks> {
  const { threads, host: kind = "worker", signal, onProgress } = options;
  const urlOf = addresses(source);
  const config = await readLabelConfig(source, signal);
  const { tokenizer } = config;
  const pictures = urlOf(tokenizer.file);
  await fetchWeights(pictures, { signal, onProgress });
  const state = await readStateDict(pictures, msvqParameters(tokenizer.config), { ignored: MSVQ_IGNORED, signal });
  const host = createHost({ host: kind, threads });
  return {
    config,
    tokenizer: msvqPrograms(tokenizer.config, (tensor) => state.get(tensor), { host }),
    network: networksOf(config, urlOf(LABEL_SETTINGS), async ({ file, config }) => {
      const url = urlOf(file);
      await fetchWeights(url, { onProgress });
      const weights = await readStateDict(url, varParameters(config), { buffers: varBuffers(config) });
      return varPrograms(config, (tensor) => weights.get(tensor), { host });
    }),
    dispose: () => host.dispose(),
  };
}

const notHere = (): never => fail("a page reads and writes no folders", { hint: "Use fewstep in Node." });
export const locateLabelModel = (_: string | PublishedFiles): never => notHere();
export const saveLabelModel = async (_: string, __: LabelParts): Promise<void> => notHere();
