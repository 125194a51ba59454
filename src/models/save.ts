/** Writes the folder of a model, so that loading it cannot fail. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fail, type NdArray } from "../base/index.ts";
import { writeAtomic, writeJson, writeSafetensors } from "../files/index.ts";
import { type ModelConfig, modelConfigOf } from "./model-config.ts";
import { checkFinite, checkNames, magvitParameters, type Shapes, type StateDict, showoParameters } from "./weights.ts";

export interface ModelParts {
  config: ModelConfig;
  showo: StateDict;
  magvit: StateDict;
  /** Contents of tokenizer.json. */
  tokenizer: unknown;
  /** The model card, Markdown. */
  card: string;
}

/**
 * Writes config.json, showo.safetensors and magvit.safetensors (both float16), tokenizer.json and README.md; the
 * configuration last, which makes the folder a model. Errors: what `loadNetworks` would refuse; NO_SPACE.
 */
export async function saveModel(folder: string, parts: ModelParts): Promise<void> {
  const config = modelConfigOf(parts.config, "config");
  const showo = checked(parts.showo, showoParameters(config.showo), "showo");
  const magvit = checked(parts.magvit, magvitParameters(config.magvit), "magvit");
  await mkdir(folder, { recursive: true }).catch((cause: Error) =>
    fail("the folder cannot be made", { where: folder, code: "NO_SPACE", got: cause.message, cause }),
  );
  const metadata = { format: "pt" };
  await writeSafetensors(join(folder, "showo.safetensors"), showo, metadata, { dtype: "float16" });
  await writeSafetensors(join(folder, "magvit.safetensors"), magvit, metadata, { dtype: "float16" });
  await writeAtomic(join(folder, "tokenizer.json"), JSON.stringify(parts.tokenizer) + "\n");
  await writeAtomic(join(folder, "README.md"), parts.card);
  await writeJson(join(folder, "config.json"), config);
}

/** The state in the order of the parameters. */
function checked(state: StateDict, expected: Shapes, where: string): Record<string, NdArray> {
  checkNames(new Map([...state].map(([name, { shape }]) => [name, { shape, float: true }])), expected, where);
  const tensors = [...expected.keys()].map((name) => [name, state.get(name)!] as const);
  for (const [name, tensor] of tensors) checkFinite(name, tensor, where);
  return Object.fromEntries(tensors);
}
