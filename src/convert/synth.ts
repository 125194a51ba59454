/**
 * Checkpoints of published names, shapes and layout with procedural weights, so that everything about full size can be
 * tried without a download. They draw noise; what they cost is what the real ones cost. Every layer has its own numbers.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { f32, fail, type NdArray, sizeOf, throwIfAborted } from "../base/index.ts";
import { checkSpace, encodeTensors, writeAtomic, writeJson } from "../files/index.ts";
import { magvitParameters, type Shapes, showoParameters } from "../models/index.ts";
import { MAGVIT_PRESETS } from "../models/magvit/index.ts";
import { SHOWO_PRESETS, type ShowoConfig } from "../models/showo/index.ts";

export interface SynthOptions {
  /** Published sizes, or others of the same form. */
  config?: ShowoConfig;
  /** Files of the transformer; above 1 they get an index. Default 1. */
  shards?: number;
  seed?: number;
  signal?: AbortSignal;
  /** Bytes written, and of how many. */
  onProgress?: (done: number, total: number) => void;
}

/** Numbers made at once. */
const PIECE = 1 << 20;

/**
 * Writes `folder`/showo and `folder`/magvit, as they are published. The same seed gives the same bytes.
 * Errors: NO_SPACE before anything is written, ABORTED.
 */
export async function synthesize(
  folder: string,
  { config = SHOWO_PRESETS["showo-256"], shards = 1, seed = 1, signal, onProgress }: SynthOptions = {},
): Promise<{ showo: string; magvit: string }> {
  if (!(Number.isInteger(shards) && shards >= 1 && shards <= 99))
    fail("bad number of shards", { where: "shards", expected: "a whole number from 1 to 99", got: `${shards}` });
  const showo = showoParameters(config);
  const magvit = magvitParameters(MAGVIT_PRESETS.magvitv2);
  const bytesOf = (shapes: Shapes) => [...shapes.values()].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  const total = bytesOf(showo) + bytesOf(magvit);
  await checkSpace(folder, total);
  let done = 0;
  const write = async (path: string, shapes: Shapes): Promise<void> => {
    const entries = [...shapes].map(([name, shape]) => ({ name, shape, dtype: "float32" as const }));
    const pieces = function* (name: string) {
      for (const piece of piecesOf(name, shapes.get(name)!, seed)) {
        throwIfAborted(signal);
        yield piece;
        onProgress?.((done += piece.data.byteLength), total);
      }
    };
    await writeAtomic(path, encodeTensors(entries, pieces, { format: "pt" }), { signal });
  };

  const folders = { showo: join(folder, "showo"), magvit: join(folder, "magvit") };
  for (const path of Object.values(folders)) await mkdir(path, { recursive: true });
  const parts = cut(showo, shards);
  const nameOf = (i: number) =>
    shards === 1 ? "pytorch_model.safetensors" : `pytorch_model-${pad(i + 1)}-of-${pad(shards)}.safetensors`;
  for (const [i, shapes] of parts.entries()) await write(join(folders.showo, nameOf(i)), shapes);
  if (shards > 1) {
    const weight_map = Object.fromEntries(
      parts.flatMap((part, i) => [...part.keys()].map((name) => [name, nameOf(i)])),
    );
    await writeJson(join(folders.showo, "pytorch_model.safetensors.index.json"), {
      metadata: { total_size: bytesOf(showo) },
      weight_map,
    });
  }
  await write(join(folders.magvit, "pytorch_model.safetensors"), magvit);
  await writeJson(join(folders.magvit, "config.json"), { _class_name: "MAGVITv2", _diffusers_version: "0.30.1" });
  await writeJson(join(folders.showo, "config.json"), {
    _class_name: "Showo",
    _diffusers_version: "0.30.1",
    codebook_size: config.codebookSize,
    llm_model_path: "microsoft/phi-1_5",
    llm_vocab_size: config.llmVocabSize,
    mask_token_id: config.llmVocabSize + 10 + config.codebookSize,
    num_vq_tokens: config.imageTokens,
    vocab_size: config.llmVocabSize + 11 + config.codebookSize,
    w_clip_vit: false,
  });
  return folders;
}

const pad = (n: number): string => String(n).padStart(5, "0");

/** Consecutive tensors in parts of about equal bytes. */
function cut(shapes: Shapes, count: number): Shapes[] {
  const total = [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const parts = Array.from({ length: count }, () => new Map<string, readonly number[]>());
  let before = 0;
  for (const [name, shape] of shapes) {
    parts[Math.min(count - 1, Math.floor((before / total) * count))].set(name, shape);
    before += sizeOf(shape);
  }
  return parts;
}

/** Norms are 1 but for a few strong channels, as trained ones have them; the rest keeps the size of what it is applied to. */
function* piecesOf(name: string, shape: readonly number[], seed: number): Generator<NdArray<"float32">> {
  const size = sizeOf(shape);
  const vector = shape.length === 1;
  const norm = vector && /norm\w*\.weight$/.test(name);
  const strong = name.endsWith("input_layernorm.weight");
  const spread = vector ? 0.02 : name.includes("embed_tokens") ? 0.5 : Math.sqrt(shape[0] / size);
  const random = normals(hash(`${seed} ${name}`));
  for (let at = 0; at < size; at += PIECE) {
    const data = new Float32Array(Math.min(PIECE, size - at));
    for (let i = 0; i < data.length; i++) data[i] = spread * random();
    if (norm) for (let i = 0; i < data.length; i++) data[i] += strong && (at + i) % 500 === 77 ? 8 : 1;
    yield f32([data.length], data);
  }
}

/** FNV-1a, never 0. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0 || 1;
}

/** Nearly normal numbers, fast: the sum of the four bytes of a 32-bit word (Marsaglia, "Xorshift RNGs", 2003). */
function normals(seed: number): () => number {
  let s = seed;
  const deviation = Math.sqrt((4 * (256 ** 2 - 1)) / 12);
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return ((s & 255) + ((s >>> 8) & 255) + ((s >>> 16) & 255) + (s >>> 24) - 510) / deviation;
  };
}
