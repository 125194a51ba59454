/** The denoising steps of one picture side by side; cells that are still open show a neutral pattern. */
import { type Picture, sheet } from "../../image/index.ts";
import { type ImageStep, resized } from "../../tasks/index.ts";

const DARK = 196;
const LIGHT = 224;

/** The picture a step would give, its open cells hatched. */
async function stateOf(step: ImageStep): Promise<Picture> {
  const { width, height, data } = await step.image();
  const cell = width / step.grid.width;
  const shown = data.slice();
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (!step.mask[0][Math.floor(y / cell) * step.grid.width + Math.floor(x / cell)]) continue;
      const stripe = Math.floor((x + y) / 2) % 2 ? DARK : LIGHT;
      shown.fill(stripe, (y * width + x) * 3, (y * width + x + 1) * 3);
    }
  return { width, height, data: shown };
}

/** Every step of the first picture, from left to right, at most `columns` in a row. */
export async function stepsStrip(steps: readonly ImageStep[], columns = 16): Promise<Picture> {
  const states: Picture[] = [];
  for (const step of steps) states.push(await stateOf(step));
  const large = states.map((state) => resized(state, Math.max(128, Math.min(state.width, state.height))));
  return sheet(large, { columns: Math.min(columns, large.length), captions: steps.map(captionOf) });
}

const captionOf = ({ index, total }: ImageStep): string => `${index}/${total}`;
