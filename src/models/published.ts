/** The published models that one command brings here: which repositories each is made of, and which files of them. */
import { fail } from "../base/index.ts";

export interface PublishedModel {
  /** Repository of the transformer, which names the model. */
  readonly showo: string;
  readonly magvit: string;
  /** Where the files of the text tokenizer are. */
  readonly tokenizer: string;
  /** Side of a picture. */
  readonly pixels: 256 | 512;
  readonly about: string;
  readonly licence: string;
}

const parts = { magvit: "showlab/magvitv2", tokenizer: "microsoft/phi-1_5" } as const;
const turbo = "weights MIT; the code that made them carries no licence";

export const PUBLISHED: readonly PublishedModel[] = [
  { showo: "showlab/show-o", ...parts, pixels: 256, about: "Show-o, 50 steps", licence: "Apache-2.0" },
  { showo: "showlab/show-o-512x512", ...parts, pixels: 512, about: "Show-o, 50 steps", licence: "Apache-2.0" },
  {
    showo: "SJTU-Deng-Lab/Show-o-Turbo-256",
    ...parts,
    pixels: 256,
    about: "Show-o Turbo, 2 to 8 steps",
    licence: turbo,
  },
  {
    showo: "SJTU-Deng-Lab/Show-o-Turbo-512",
    ...parts,
    pixels: 512,
    about: "Show-o Turbo, 2 to 8 steps",
    licence: turbo,
  },
];

/** A published model by its repository or by the last part of that name, in any case. */
export const publishedModel = (name: string): PublishedModel | undefined =>
  PUBLISHED.find(({ showo }) =>
    [showo, showo.split("/")[1]].some((known) => known.toLowerCase() === name.toLowerCase()),
  );

const WEIGHTS = ["pytorch_model", "model", "diffusion_pytorch_model"];

/** Weights of a repository: one safetensors file, or an index with its shards, else a pickled file. */
function weightFiles(files: readonly string[], repository: string): string[] {
  const found = WEIGHTS.flatMap((name) => [
    `${name}.safetensors`,
    `${name}.safetensors.index.json`,
    `${name}.bin`,
  ]).find((name) => files.includes(name));
  if (found === undefined)
    return fail("this repository holds no weights that fewstep reads", {
      where: repository,
      code: "NOT_FOUND",
      expected: `one of ${WEIGHTS.map((name) => `${name}.safetensors`).join(", ")}`,
      got: files.slice(0, 20).join(", "),
    });
  const shard = new RegExp(`^${found.replace(/\.safetensors\.index\.json$/, "")}-\\d+-of-\\d+\\.safetensors$`);
  return [found, ...(found.endsWith(".index.json") ? files.filter((name) => shard.test(name)) : [])];
}

function needed(names: readonly string[], files: readonly string[], repository: string): string[] {
  const missing = names.find((name) => !files.includes(name));
  if (missing !== undefined)
    fail(`the repository lacks ${missing}`, {
      where: repository,
      code: "NOT_FOUND",
      got: files.slice(0, 20).join(", "),
    });
  return [...names];
}

const optional = (names: readonly string[], files: readonly string[]) => names.filter((name) => files.includes(name));

export interface WantedFiles {
  repository: string;
  choose: (files: readonly string[]) => string[];
}

/** What a published model needs, for the hub: transformer, picture tokenizer, text tokenizer, in this order. */
export const wantedFiles = ({ showo, magvit, tokenizer }: PublishedModel): WantedFiles[] => [
  {
    repository: showo,
    choose: (files) => [...needed(["config.json"], files, showo), ...weightFiles(files, showo)],
  },
  { repository: magvit, choose: (files) => [...optional(["config.json"], files), ...weightFiles(files, magvit)] },
  {
    repository: tokenizer,
    choose: (files) => [
      ...needed(["tokenizer.json"], files, tokenizer),
      ...optional(["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"], files),
    ],
  },
];
