/** How much of a picture its tokens keep: reconstructions of scenes never seen in training. */
import { throwIfAborted } from "../base/index.ts";
import { type Picture, picture, sheet } from "../image/index.ts";
import { gridSide } from "../models/showo/index.ts";
import { type Atlas, type Domain, makeScene, type Split } from "../scenes/index.ts";
import { drawTokens, imageTokens, type Model } from "../tasks/index.ts";

export interface TokenizerOptions {
  atlas: Atlas;
  domain: Domain;
  images: number;
  seed: number;
  split?: Split;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface TokenizerQuality {
  images: number;
  /** Peak signal-to-noise ratio over all pixels together, in decibels. */
  psnr: number;
  /** Mean over pictures of each one's own ratio. */
  meanPsnr: number;
  /** Effective number of codes: exp of the entropy of their use. */
  perplexity: number;
  codebook: number;
}

const SHEET_PICTURES = 18;

/** Pictures to tokens and back. The sheet shows each original with its reconstruction to its right. */
export async function evaluateTokenizer(
  model: Model,
  options: TokenizerOptions,
): Promise<TokenizerQuality & { sheet: Picture }> {
  const { atlas, domain, images, seed, split = "heldout", signal, onProgress } = options;
  const { resolution: pixels, bits } = model.config.magvit;
  const side = gridSide(model.config.showo);
  const used = new Float64Array(2 ** bits);
  const tiles: Picture[] = [];
  let [squares, values, ratios] = [0, 0, 0];
  for (let index = 0; index < images; index++) {
    throwIfAborted(signal);
    const scene = makeScene(atlas, domain, { seed, index, split, pixels });
    const original = picture(scene.width, scene.height, scene.pixels);
    const codes = await imageTokens(model, original);
    for (const code of codes) used[code]++;
    const drawn = await drawTokens(model, codes, { height: side, width: side });
    const error = original.data.reduce((sum, value, i) => sum + (value - drawn.data[i]) ** 2, 0);
    squares += error;
    values += original.data.length;
    ratios += decibels(error / original.data.length);
    if (index < SHEET_PICTURES) tiles.push(original, drawn);
    onProgress?.(index + 1, images);
  }
  const total = used.reduce((a, b) => a + b, 0);
  const entropy = used.reduce((sum, n) => (n ? sum - (n / total) * Math.log(n / total) : sum), 0);
  return {
    images,
    psnr: decibels(squares / values),
    meanPsnr: ratios / images,
    perplexity: Math.exp(entropy),
    codebook: used.length,
    sheet: sheet(tiles, { columns: 6, gap: 2 }),
  };
}

/** Of a mean squared error over bytes; identical pictures count as 1/10 of a level wrong everywhere. */
const decibels = (mse: number): number => 10 * Math.log10(255 ** 2 / Math.max(mse, 0.01));
