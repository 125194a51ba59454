/** What generate, inpaint and extend do alike: run, show progress, write pictures, report. */
import { fail } from "../../base/index.ts";
import { encodePicture } from "../../image/index.ts";
import {
  type DrawOptions,
  type DrawResult,
  type DrawRun,
  formatOf,
  type ImageStep,
  type Model,
} from "../../tasks/index.ts";
import type { Io } from "./io.ts";
import { type DrawingOptions, openModel, warn } from "./options.ts";
import { outputPaths, writeOutput } from "./output.ts";
import { progressBar } from "./progress.ts";
import { stepsStrip } from "./strip.ts";

/** Small pictures are shown at least this large. */
const SHOWN_SIZE = 256;

/** Where pictures go; undefined: to standard output. */
export interface Outputs {
  pictures: string[] | undefined;
  strip: string | undefined;
}

/** Decides and checks names before anything is loaded or drawn. */
export async function planOutputs(
  { output, n = 1, stepsStrip, json }: DrawingOptions,
  prompt: string,
): Promise<Outputs> {
  const [strip] = stepsStrip === undefined ? [] : await outputPaths(stepsStrip, `${prompt} steps`, 1);
  if (output !== "-") return { pictures: await outputPaths(output, prompt, n), strip };
  if (n !== 1 || json)
    fail("standard output takes one picture and nothing else", { where: "-o -", hint: "Name a file instead." });
  return { pictures: undefined, strip };
}

/** Draws and writes; gives the full paths. Nothing is written unless everything was drawn. */
export async function drawAndWrite(
  model: Model,
  begin: (options: DrawOptions) => DrawRun,
  { pictures, strip }: Outputs,
  options: DrawingOptions,
  io: Io,
): Promise<{ result: DrawResult; paths: string[] }> {
  const { steps, guidance, topK, temperature, seed, n } = options;
  const run = begin({ steps, guidance, topK, temperature, seed, n, signal: io.signal });
  const bar = progressBar(io, "drawing");
  const states: ImageStep[] = [];
  try {
    for await (const step of run) {
      bar.show(step.index, step.total);
      if (strip) states.push(step);
    }
  } finally {
    bar.clear();
  }
  const result = await run;
  warn(io, result.warnings);

  const size = options.size ?? Math.max(SHOWN_SIZE, model.config.magvit.resolution);
  const files = await Promise.all(
    result.images.map((image, i) => image.encode(pictures && formatOf(pictures[i]), { size })),
  );
  const shown = strip && (await encodePicture(await stepsStrip(states), formatOf(strip)));
  const paths: string[] = [];
  if (!pictures) await io.out(files[0]);
  else for (const [i, path] of pictures.entries()) paths.push(await writeOutput(path, files[i], io));
  if (strip && shown) await writeOutput(strip, shown, io);
  return { result, paths };
}

/** A whole drawing command: opens the model, draws, writes, prints paths or JSON. */
export async function drawCommand(
  begin: (model: Model, options: DrawOptions) => DrawRun,
  prompt: string,
  options: DrawingOptions,
  io: Io,
): Promise<void> {
  const outputs = await planOutputs(options, prompt);
  const model = await openModel(options, io);
  try {
    const { result, paths } = await drawAndWrite(model, (settings) => begin(model, settings), outputs, options, io);
    if (options.json) await io.out(`${JSON.stringify(reportOf(result, paths))}\n`);
    else for (const path of paths) await io.out(`${path}\n`);
  } finally {
    await model.dispose();
  }
}

/** What `--json` prints. */
function reportOf({ images, timings, warnings }: DrawResult, paths: string[]): Record<string, unknown> {
  const { seed: _, ...settings } = images[0].settings;
  const each = images.map(({ settings: { seed }, width, height }, i) => ({ path: paths[i], seed, width, height }));
  return { ...settings, images: each, timings, warnings };
}
