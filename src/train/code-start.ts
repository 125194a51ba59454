/**
 * Starting rows of the codebook's tokens, in the embedding and in the head. A code of lookup-free quantisation is a row of
 * bits, and codes that share bits look alike: rows start as sums of one direction per bit, so that what is learnt of one
 * code holds for its neighbours from the first step.
 */
import { f32, Rng } from "../base/index.ts";
import { type ShowoConfig, vocabularyOf } from "../models/showo/index.ts";
import type { Arrays } from "../runtime/index.ts";

const DEVIATION = 0.02;
/** Share of a row's variance that its bits explain; the rest is its own. */
const FROM_BITS = 0.9;

/** Embedding and head weights [vocabulary, hidden] of standard deviation 0.02. */
export function startingCodes(config: ShowoConfig, bits: number, seed: number): Arrays {
  const { size, image } = vocabularyOf(config);
  const width = config.hiddenSize;
  const names = ["showo.model.embed_tokens.weight", "showo.lm_head.weight"];
  return Object.fromEntries(
    names.map((name, stream) => {
      const rng = new Rng(seed, stream);
      const normal = (n: number, deviation: number) => Float32Array.from({ length: n }, () => deviation * rng.normal());
      const rows = normal(size * width, DEVIATION);
      const directions = normal(bits * width, DEVIATION * Math.sqrt(FROM_BITS / bits));
      for (let code = 0; code < 2 ** bits; code++)
        for (let i = 0; i < width; i++) {
          const at = (image + code) * width + i;
          rows[at] *= Math.sqrt(1 - FROM_BITS);
          for (let bit = 0; bit < bits; bit++) rows[at] += ((code >> bit) & 1 ? 1 : -1) * directions[bit * width + i];
        }
      return [name, f32([size, width], rows)];
    }),
  );
}
