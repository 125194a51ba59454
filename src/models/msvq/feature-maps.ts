/** The picture that a canvas of scales stands for while it is decided: feature maps, advanced as scales are settled. */
import { f32, fail, type NdArray } from "../../base/index.ts";
import type { Canvas } from "../../decode/index.ts";
import { latentSide, scaleOffsets } from "./config.ts";
import type { MsvqPrograms } from "./programs.ts";

type Floats = NdArray<"float32">;

export interface FeatureMaps {
  /** What is read for scale `scale` (1 or more) [B, l, Z]: the map of the scales before it, pooled. */
  input(canvas: Canvas, scale: number): Promise<Floats>;
  /** The map after the first `scales` scales [B, Z, P, P]; zeros after none. */
  after(canvas: Canvas, scales: number): Promise<Floats>;
  /** Codes [B, l, Z] that a scale adds instead of those of its ids. */
  replace(scale: number, codes: Float32Array): void;
}

/** Changes a map [B, Z, P, P] in place after the codes of `scale` were added. */
export type Blend = (fHat: Float32Array, scale: number) => void;

/**
 * Maps are computed once, when first asked for: a drafter and a refiner that share them hand over for nothing. Errors: a
 * scale that is asked for before the ids of the scales before it are decided.
 */
export function featureMaps(programs: MsvqPrograms, rows: number, blend?: Blend): FeatureMaps {
  const { config } = programs;
  const { zChannels, sides } = config;
  const side = latentSide(config);
  const offsets = scaleOffsets(config);
  const fHats: Floats[] = [f32([rows, zChannels, side, side])];
  const inputs: (Floats | undefined)[] = [undefined];
  const replaced = new Map<number, Float32Array>();
  let reaching: Promise<void> = Promise.resolve();

  async function advance(canvas: Canvas): Promise<void> {
    const scale = fHats.length - 1;
    const length = sides[scale] ** 2;
    const ids = new Int32Array(rows * length);
    for (let row = 0; row < rows; row++)
      ids.set(
        canvas.ids_BL.subarray(row * canvas.slots + offsets[scale], row * canvas.slots + offsets[scale + 1]),
        row * length,
      );
    const codes = f32([rows, length, zChannels], replaced.get(scale) ?? programs.codes(ids));
    const { fHat, next } = await programs.addScale(scale, fHats[scale], codes);
    if (blend) blend(fHat.data, scale);
    fHats.push(fHat);
    inputs.push(blend && next ? await programs.pool(fHat, scale + 1) : next);
  }

  async function reach(canvas: Canvas, scales: number): Promise<void> {
    if (canvas.rows !== rows || canvas.slots !== offsets[sides.length])
      fail("the canvas does not fit the tokenizer", {
        expected: `${rows} rows of ${offsets[sides.length]} tokens`,
        got: `${canvas.rows} rows of ${canvas.slots}`,
      });
    // Whoever asks meanwhile waits: each scale is added once.
    const work = async () => {
      while (fHats.length <= scales) await advance(canvas);
    };
    reaching = reaching.then(work, work);
    await reaching;
  }

  return {
    async input(canvas, scale) {
      await reach(canvas, scale);
      return (
        inputs[scale] ?? fail("this scale has no input", { expected: `1 to ${sides.length - 1}`, got: `${scale}` })
      );
    },
    async after(canvas, scales) {
      await reach(canvas, scales);
      return fHats[scales];
    },
    replace: (scale, codes) => void replaced.set(scale, codes),
  };
}
