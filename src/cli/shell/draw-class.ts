/** Drawing with a next-scale model: what `generate` does where the model draws classes. */
import { fail } from "../../base/index.ts";
import { encodePicture, sheet } from "../../image/index.ts";
import { formatOf, type LabelOptions, loadLabelModel, resized, type ScaleStep } from "../../tasks/index.ts";
import { planOutputs } from "./draw.ts";
import type { Io } from "./io.ts";
import type { DrawingOptions } from "./options.ts";
import { writeOutput } from "./output.ts";
import { progressBar } from "./progress.ts";

export interface ClassOptions extends DrawingOptions, Pick<LabelOptions, "draftScales"> {
  model: string;
}

/** Small pictures are shown at least this large. */
const SHOWN_SIZE = 256;

export async function drawClass(label: string, options: ClassOptions, io: Io): Promise<void> {
  const { model: name, threads, draftScales, guidance, topK, seed, n, size, json } = options;
  if (options.device && options.device !== "cpu")
    fail("models that draw a class compute on the processor alone", { expected: "cpu", got: options.device });
  const { pictures, strip } = await planOutputs(options, label || "anything");
  const model = await loadLabelModel(name, { threads, host: io.host, signal: io.signal });
  const bar = progressBar(io, "drawing");
  try {
    const run = model.generateImage(label, { draftScales, guidance, topK, seed, n, signal: io.signal });
    const steps: ScaleStep[] = [];
    for await (const step of run) {
      bar.show(step.index, step.total);
      if (strip) steps.push(step);
    }
    bar.clear();
    const { images, timings, cacheBytes } = await run;
    const shown = { size: size ?? Math.max(SHOWN_SIZE, Math.min(images[0].width, images[0].height)) };
    const files = await Promise.all(images.map((image, i) => image.encode(pictures && formatOf(pictures[i]), shown)));
    const paths: string[] = [];
    if (!pictures) await io.out(files[0]);
    else for (const [i, path] of pictures.entries()) paths.push(await writeOutput(path, files[i], io));
    if (strip) await writeOutput(strip, await encodePicture(await scalesStrip(steps), formatOf(strip)), io);
    if (json) {
      const { seed: _, ...settings } = images[0].settings;
      const each = images.map(({ settings: { seed }, width, height }, i) => ({ path: paths[i], seed, width, height }));
      await io.out(`${JSON.stringify({ ...settings, images: each, timings, cacheBytes })}\n`);
    } else for (const path of paths) await io.out(`${path}\n`);
  } finally {
    bar.clear();
    await model.dispose();
  }
}

/** The scales of the first picture side by side. */
async function scalesStrip(steps: readonly ScaleStep[]) {
  const own = steps.filter(({ first }) => first === 0);
  const states = [];
  for (const step of own) states.push(resized(await step.image(), 128));
  const captions = own.map(({ side, by }) => `${side}x${side} ${by}`);
  return sheet(states, { columns: states.length, captions });
}
