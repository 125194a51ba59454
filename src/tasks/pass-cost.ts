/** What a pass over text slots costs on this machine: by a model's own plan, or a short measurement. Knows no decoder. */
import { canvasOf } from "../decode/index.ts";
import { betweenPoints } from "../models/index.ts";
import { picturePrefix, type ShowoPrograms, textPredictor } from "../models/showo/index.ts";

/** Milliseconds of a pass over so many slots. */
export type PassCost = (slots: number) => number;

const [FEW, MANY] = [1, 32];
const RUNS = 3;

/**
 * Times passes over 1 and 32 slots behind a picture and takes the cost in between as a straight line. The fastest of a few
 * runs counts: what disturbs a run only makes it slower. A converted model that was measured before says it itself.
 */
export async function textPassCost(programs: ShowoPrograms): Promise<PassCost> {
  if (programs.packed?.passCosts) return betweenPoints(programs.packed.passCosts);
  const { imageTokens, endOfText } = programs.config;
  const prompt = [...picturePrefix(programs.config, new Int32Array(imageTokens)), endOfText];
  const predictor = await textPredictor(programs, { prompt, slots: MANY });
  const canvas = canvasOf(1, MANY, new Int32Array(MANY));
  const time = async (end: number): Promise<number> => {
    let best = Infinity;
    // The first run is not counted.
    for (let run = 0; run <= RUNS; run++) {
      const start = performance.now();
      await predictor.predict(canvas, { start: 0, end }, 0);
      if (run) best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  const few = await time(FEW);
  const slope = Math.max(0, ((await time(MANY)) - few) / (MANY - FEW));
  return (slots) => few + slope * (slots - FEW);
}
