/** A folder of golden vectors: the models it was computed with, as users run them, and its cases. */
import { join } from "node:path";
import { fail, type NdArray } from "fewstep/base";
import { readSafetensors, type Safetensors } from "fewstep/files";
import { type MagvitConfig, type MagvitPrograms, magvitPrograms } from "fewstep/models/magvit";
import { type ShowoConfig, type ShowoPrograms, showoPrograms, vocabularyOf } from "fewstep/models/showo";
import type { Tokenizer } from "fewstep/text";
import { type Case, openCase } from "./case.ts";
import { type CaseEntry, type Manifest, readManifest } from "./manifest.ts";
import { proceduralWeights } from "./procedural.ts";

type Network = "teacher" | "student" | "magvit";

export interface Folder {
  readonly entries: readonly CaseEntry[];
  /** Errors: BAD_FILE, NOT_FOUND. */
  open(entry: CaseEntry): Case;
  readonly config: ShowoConfig;
  readonly tokenizer: Tokenizer;
  readonly magvitConfig: MagvitConfig;
  readonly teacher: ShowoPrograms;
  readonly student: ShowoPrograms;
  readonly magvit: MagvitPrograms;
  weights(network: Network): (name: string) => NdArray | undefined;
  /** Weights that are not stored but follow from their name. */
  procedural(name: string, shape: readonly number[]): NdArray<"float32">;
  dispose(): Promise<void>;
}

export function openFolder(path: string): Folder {
  const manifest = readManifest(path);
  const files = new Map<string, Safetensors>();
  const file = (name: string): Safetensors => {
    const known = files.get(name) ?? readSafetensors(join(path, name));
    files.set(name, known);
    return known;
  };
  const weights = (network: Network) => {
    const state = file(manifest.weights[network]);
    return (name: string) => (state.has(name) ? state.get(name) : undefined);
  };
  const config = showoConfigOf(manifest, path);
  const magvitConfig = magvitConfigOf(manifest);
  const seed = manifest.procedural_weights.set_seed;
  // Programs compile when first needed, so sets without their cases cost nothing.
  const teacher = showoPrograms(config, (name) => weights("teacher")(name));
  const student = showoPrograms(config, (name) => weights("student")(name));
  const magvit = magvitPrograms(magvitConfig, (name) => weights("magvit")(name));
  return {
    entries: manifest.cases,
    open: (entry) => openCase(entry, file(entry.file)),
    config,
    tokenizer: tokenizerOf(manifest),
    magvitConfig,
    teacher,
    student,
    magvit,
    weights,
    procedural: (name, shape) => proceduralWeights(name, shape, seed),
    async dispose() {
      for (const programs of [teacher, student, magvit]) await programs.dispose();
      for (const open of files.values()) open.close();
    },
  };
}

/** Errors: BAD_FILE where the set's model is laid out in another way than ours. */
function showoConfigOf({ model, tokenizer }: Manifest, where: string): ShowoConfig {
  const config: ShowoConfig = {
    model: "showo",
    hiddenSize: model.hidden_size,
    layers: model.num_hidden_layers,
    heads: model.num_attention_heads,
    mlpSize: model.intermediate_size,
    rotaryFraction: model.partial_rotary_factor,
    ropeTheta: model.rope_theta,
    normEps: model.layer_norm_eps,
    llmVocabSize: model.llm_vocab_size,
    endOfText: tokenizer.eos_id,
    codebookSize: model.codebook_size,
    imageTokens: model.num_vq_tokens,
    maxTextTokens: model.max_seq_length,
  };
  const { size, mask, image, soi, eoi, t2i, mmu, pad, endOfText } = vocabularyOf(config);
  const { special_ids: special } = tokenizer;
  const layout: [name: string, ours: number, theirs: number][] = [
    ["num_key_value_heads", config.heads, model.num_key_value_heads],
    ["vocab_size", size, model.vocab_size],
    ["mask_token_id", mask, model.mask_token_id],
    ["image_token_offset", image, model.image_token_offset],
    ["bos_id", endOfText, tokenizer.bos_id],
    ["<|soi|>", soi, special["<|soi|>"]],
    ["<|eoi|>", eoi, special["<|eoi|>"]],
    ["<|t2i|>", t2i, special["<|t2i|>"]],
    ["<|mmu|>", mmu, special["<|mmu|>"]],
    ["<|pad|>", pad, special["<|pad|>"]],
  ];
  for (const [name, ours, theirs] of layout)
    if (ours !== theirs)
      fail("the model of this set is laid out in another way", {
        where: `${where}, ${name}`,
        expected: `${ours}`,
        got: `${theirs}`,
        code: "BAD_FILE",
      });
  return config;
}

function magvitConfigOf({ magvit }: Manifest): MagvitConfig {
  const half = ({ ch, ch_mult, num_res_blocks }: Manifest["magvit"]["encoder"]) => ({
    ch,
    chMult: ch_mult,
    numResBlocks: num_res_blocks,
    groups: magvit.group_norm_groups,
    attention: true,
  });
  return {
    model: "magvit",
    resolution: magvit.resolution,
    bits: magvit.z_channels,
    encoder: half(magvit.encoder),
    decoder: half(magvit.decoder),
    normEps: magvit.group_norm_eps,
  };
}

/** The toy tokenizer of these sets: words between blanks, the end of text among them. */
function tokenizerOf({ tokenizer: { vocabulary, eos_id } }: Manifest): Tokenizer {
  const ids = new Map(vocabulary.map((word, id) => [word, id]));
  return {
    size: vocabulary.length,
    endOfText: eos_id,
    encode: (text) =>
      text
        .split(/\s+/)
        .filter((word) => word)
        .map((word) => ids.get(word) ?? fail("a word of this case is not in the set's vocabulary", { got: word })),
    decode: (list) => Array.from(list, (id) => vocabulary[id] ?? fail("no such token", { got: `${id}` })).join(" "),
  };
}
