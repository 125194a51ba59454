/** Show-o conditioned on prompts, as a Predictor over codebook ids: what decodeMasked asks. */
import { f32, fail, i64, type NdArray, sizeOf } from "../../base/index.ts";
import type { Predictor } from "../../decode/index.ts";
import type { ShowoConfig } from "./config.ts";
import { positionsFrom } from "./graph.ts";
import { additiveMask, predictNextMask } from "./masks.ts";
import { packedImagePredictor } from "./packed-predictors.ts";
import type { ShowoPrograms } from "./programs.ts";
import { imageIds, imagePrompt, vocabularyOf } from "./sequence.ts";

/** Keys and values of one prompt, [T, H, d] for each layer. */
export interface Prefix {
  length: number;
  layers: { k: Float32Array; v: Float32Array }[];
}

/** Runs a prompt's text once; text rows never see the picture, so this holds for all steps. */
export async function encodePrefix(programs: ShowoPrograms, prompt: readonly number[]): Promise<Prefix> {
  const { config } = programs;
  const length = prompt.length;
  const program = await programs.prefix();
  const out = await program.run({
    ids: i64([1, length], prompt),
    positions: positionsFrom(-length, length),
    bias: additiveMask(predictNextMask([prompt], vocabularyOf(config), { hidePads: false })),
  });
  const data = (name: string) => out[name].data as Float32Array;
  return {
    length,
    layers: Array.from({ length: config.layers }, (_, l) => ({ k: data(`k_${l}`), v: data(`v_${l}`) })),
  };
}

export interface ImageRequest {
  /** Text ids of each row's prompt, without control ids. */
  prompts: readonly (readonly number[])[];
  /** Classifier-free guidance g: logits (1 + g) * asked - g * unasked; 0 (default) asks once. */
  guidance?: number;
}

/** One Predictor for all rows of a request. Each distinct prompt is encoded once. */
export async function imagePredictor(
  programs: ShowoPrograms,
  { prompts, guidance = 0 }: ImageRequest,
): Promise<Predictor> {
  const { config } = programs;
  if (!(guidance >= 0 && guidance < Infinity))
    fail("bad guidance", { where: "guidance", expected: "a number of at least 0", got: `${guidance}` });
  if (programs.packed) return packedImagePredictor(programs.packed, { prompts, guidance });
  const known = new Map<string, Promise<Prefix>>();
  const prefixOf = (text: readonly number[]) => {
    const prompt = imagePrompt(config, text);
    const key = prompt.join();
    if (!known.has(key)) known.set(key, encodePrefix(programs, prompt));
    return known.get(key)!;
  };
  const rows: Prefix[] = [];
  for (const prompt of prompts) {
    rows.push(await prefixOf(prompt));
    if (guidance) rows.push(await prefixOf([]));
  }
  const program = await programs.denoise(guidance > 0);
  const fixed = {
    ...stackPrefixes(config, rows),
    positions: positionsFrom(0, config.imageTokens + 2),
    guidance: f32([], [guidance]),
  };
  const { soi, eoi } = vocabularyOf(config);
  const tokens = config.imageTokens;
  return {
    vocab: config.codebookSize,
    async predict(canvas) {
      if (canvas.rows !== prompts.length || canvas.slots !== tokens)
        fail("the canvas does not fit the model", {
          expected: `${prompts.length} rows of ${tokens} cells`,
          got: `${canvas.rows} rows of ${canvas.slots}`,
        });
      const ids: number[] = [];
      for (let row = 0; row < canvas.rows; row++) {
        const one = [soi, ...imageIds(config, canvas.ids_BL.subarray(row * tokens, (row + 1) * tokens)), eoi];
        ids.push(...one);
        if (guidance) ids.push(...one);
      }
      const { logits } = await program.run({ ...fixed, ids: i64([rows.length, tokens + 2], ids) });
      return logits.data as Float32Array;
    },
    settle() {},
  };
}

/** Prefixes of different length side by side, right-aligned; a bias hides the gap before the shorter ones. */
function stackPrefixes(
  { heads, hiddenSize, layers, imageTokens }: ShowoConfig,
  rows: readonly Prefix[],
): Record<string, NdArray> {
  const longest = Math.max(...rows.map((r) => r.length));
  const shape = [rows.length, longest, heads, hiddenSize / heads];
  const stack = (part: (row: Prefix) => Float32Array) => {
    const out = f32(shape);
    const span = sizeOf(shape) / rows.length;
    for (const [i, row] of rows.entries()) out.data.set(part(row), (i + 1) * span - part(row).length);
    return out;
  };
  const width = longest + imageTokens + 2;
  const bias = f32([rows.length, 1, 1, width]);
  for (const [i, row] of rows.entries()) bias.data.fill(-Infinity, i * width, i * width + longest - row.length);
  const feeds: Record<string, NdArray> = { bias };
  for (let l = 0; l < layers; l++) {
    feeds[`past_k_${l}`] = stack((row) => row.layers[l].k);
    feeds[`past_v_${l}`] = stack((row) => row.layers[l].v);
  }
  return feeds;
}
