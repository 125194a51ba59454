/// <reference lib="dom" />
/** Whole models in a page: downloaded, checked strictly, on WebGPU where there is some, else on the processor. */
import { fail, parseObject } from "../base/index.ts";
import { fetchBytes, fetchWeights } from "../files/index.web.ts";
import { createHost } from "../runtime/index.ts";
import type { Device, LoadOptions, ModelSource, Networks } from "./load.ts";
import { magvitPrograms } from "./magvit/index.ts";
import { type ModelConfig, modelConfigOf } from "./model-config.ts";
import { DEFAULT_MODEL, modelFiles } from "./registry.web.ts";
import { showoPrograms } from "./showo/index.ts";
import { magvitBuffers, magvitParameters, readStateDict, showoParameters } from "./weights.ts";

export type { Device, LoadOptions, ModelSource, Networks } from "./load.ts";

/** Errors: NOT_FOUND, BAD_FILE, BAD_WEIGHTS, ABORTED. */
export async function loadNetworks(source: ModelSource = DEFAULT_MODEL, options: LoadOptions = {}): Promise<Networks> {
  const { threads, host: kind = "worker", signal, onProgress } = options;
  const files = filesOf(source);
  const device = await deviceFor(options.device);
  const [config] = await Promise.all([
    readModelConfig(source, signal),
    fetchWeights(files["showo.safetensors"], { signal, onProgress }),
    fetchWeights(files["magvit.safetensors"], { signal, onProgress }),
  ]);
  const transformer = await readStateDict(files["showo.safetensors"], showoParameters(config.showo), { signal });
  const buffers = magvitBuffers(config.magvit);
  const tokenizer = await readStateDict(files["magvit.safetensors"], magvitParameters(config.magvit), {
    buffers,
    signal,
  });
  const host = createHost({ host: kind, threads, device });
  return {
    config,
    device,
    transformer: showoPrograms(config.showo, (name) => transformer.get(name), { host }),
    tokenizer: magvitPrograms(config.magvit, (name) => tokenizer.get(name), host),
    textFolder: files["tokenizer.json"],
    dispose: () => host.dispose(),
  };
}

/** What a model's config.json says; no weights are fetched. Errors: NOT_FOUND, BAD_FILE, ABORTED. */
export async function readModelConfig(source: ModelSource = DEFAULT_MODEL, signal?: AbortSignal): Promise<ModelConfig> {
  const where = filesOf(source)["config.json"];
  const text = new TextDecoder().decode(await fetchBytes(where, { signal }));
  return modelConfigOf(parseObject(text, "the configuration", where), where);
}

const filesOf = (source: ModelSource) =>
  typeof source === "string"
    ? modelFiles(source)
    : fail("a page loads models by name or by the address of their folder", { got: JSON.stringify(source) });

/** The part of WebGPU that is looked at here. */
interface Gpu {
  requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null>;
}

/** "auto" is WebGPU unless there is none or it is computed by the processor, which does that better itself. */
async function deviceFor(wanted: LoadOptions["device"] = "auto"): Promise<Device> {
  if (wanted !== "auto") return wanted;
  const { gpu } = navigator as { gpu?: Gpu };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter && !adapter.info?.isFallbackAdapter ? "webgpu" : "cpu";
}
