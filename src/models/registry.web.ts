/// <reference lib="dom" />
/** Names of models in a page: those that the package carries, and addresses of folders. */
export const DEFAULT_MODEL = "turbo-mini";

const FILES = ["config.json", "showo.safetensors", "magvit.safetensors", "tokenizer.json"] as const;
type ModelFiles = Readonly<Record<(typeof FILES)[number], string>>;

// Written out, because that is how bundlers find the files and take them along.
const EMBEDDED: Readonly<Record<string, () => ModelFiles>> = {
  "turbo-mini": () => ({
    "config.json": new URL("../../weights/turbo-mini/config.json", import.meta.url).href,
    "showo.safetensors": new URL("../../weights/turbo-mini/showo.safetensors", import.meta.url).href,
    "magvit.safetensors": new URL("../../weights/turbo-mini/magvit.safetensors", import.meta.url).href,
    "tokenizer.json": new URL("../../weights/turbo-mini/tokenizer.json", import.meta.url).href,
  }),
  "show-o-mini": () => ({
    "config.json": new URL("../../weights/show-o-mini/config.json", import.meta.url).href,
    "showo.safetensors": new URL("../../weights/show-o-mini/showo.safetensors", import.meta.url).href,
    "magvit.safetensors": new URL("../../weights/show-o-mini/magvit.safetensors", import.meta.url).href,
    "tokenizer.json": new URL("../../weights/show-o-mini/tokenizer.json", import.meta.url).href,
  }),
};

/** Names of the models that the package carries. */
export const embeddedModels = (): string[] => Object.keys(EMBEDDED);

/** Addresses of a model's files, given its name or the address of its folder. */
export function modelFiles(nameOrAddress: string): ModelFiles {
  const embedded = EMBEDDED[nameOrAddress]?.();
  if (embedded) return embedded;
  const folder = new URL(nameOrAddress.replace(/\/?$/, "/"), document.baseURI);
  return Object.fromEntries(FILES.map((name) => [name, new URL(name, folder).href])) as ModelFiles;
}
