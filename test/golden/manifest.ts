/** The schema of a golden folder's manifest.json. What a check does with it is not known here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FewstepError, fail } from "fewstep/base";
import { z } from "zod";

const size = z.int().min(1);
const bounds = z.object({ atol: z.number().min(0), rtol: z.number().min(0) });

const caseEntry = z.object({
  id: z.string().min(1),
  group: z.string().min(1),
  what: z.string().default(""),
  file: z.string().min(1),
  params: z.record(z.string(), z.unknown()).default({}),
  outputs: z.array(z.string()).min(1),
  tol: z.object({
    atol: z.number().min(0).default(0),
    rtol: z.number().min(0).default(0),
    /** true: all fields; a list of fields; or words such as "all but decoded". */
    exact: z.union([z.literal(true), z.array(z.string()), z.string()]).default([]),
    /** Bounds by field name; a name may end in `*`. */
    fields: z.record(z.string(), bounds).default({}),
  }),
});
export type CaseEntry = z.infer<typeof caseEntry>;

const half = z.object({ ch: size, ch_mult: z.array(size), num_res_blocks: z.array(size) });

const manifest = z.object({
  schema: z.literal(1),
  model: z.object({
    hidden_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    num_key_value_heads: size,
    intermediate_size: size,
    partial_rotary_factor: z.number(),
    rope_theta: z.number(),
    layer_norm_eps: z.number(),
    qk_layernorm: z.literal(true),
    hidden_act: z.literal("gelu_new"),
    vocab_size: size,
    llm_vocab_size: size,
    num_new_special_tokens: z.literal(10),
    codebook_size: size,
    num_vq_tokens: size,
    mask_token_id: size,
    max_seq_length: size,
    image_token_offset: size,
  }),
  magvit: z.object({
    resolution: size,
    z_channels: size,
    in_ch: z.literal(3),
    out_ch: z.literal(3),
    encoder: half,
    decoder: half,
    group_norm_groups: size,
    group_norm_eps: z.number(),
  }),
  tokenizer: z.object({
    bos_id: z.int(),
    eos_id: z.int(),
    vocabulary: z.array(z.string()),
    special_ids: z.record(z.string(), z.int()),
  }),
  weights: z.object({ teacher: z.string(), student: z.string(), magvit: z.string() }),
  procedural_weights: z.object({ set_seed: z.int() }),
  cases: z.array(caseEntry).min(1),
});
export type Manifest = z.infer<typeof manifest>;

const bad = (what: string, where: string, got: string): FewstepError =>
  fail(what, { where, got, code: "BAD_FILE", hint: "Name a folder of golden vectors of Show-o or VAR." });

/** The parsed manifest of a folder of any layout. Errors: NOT_FOUND without one, BAD_FILE. */
export function readManifestJson(folder: string): unknown {
  const where = join(folder, "manifest.json");
  let text: string;
  try {
    text = readFileSync(where, "utf8");
  } catch (cause) {
    return fail("there is no manifest to read", {
      where,
      cause,
      got: (cause as Error).message,
      code: "NOT_FOUND",
      hint: "Name a folder of golden vectors: npm run golden -- test/golden-data/show-o",
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw bad("the manifest is not JSON", where, (cause as Error).message);
  }
}

/** A manifest of Show-o. Errors: as `readManifestJson`, and BAD_FILE naming the first entry that does not fit. */
export function readManifest(folder: string): Manifest {
  const parsed = manifest.safeParse(readManifestJson(folder));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  const what = "this is not a manifest of golden vectors";
  throw bad(what, join(folder, "manifest.json"), `${path.join(".") || "the whole"}: ${message}`);
}
