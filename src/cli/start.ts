/** fewstep start [PROMPT]: what `npm start` shows. Draws a picture, describes it, and says how long all that took. */
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import type { DrawOptions } from "../tasks/index.ts";
import { drawAndWrite, planOutputs } from "./shell/draw.ts";
import { type Io, printable } from "./shell/io.ts";
import { type DrawingOptions, drawingOptions, openModel, warn } from "./shell/options.ts";
import { makeFolder } from "./shell/output.ts";
import { preview } from "./shell/preview.ts";

const PROMPT = "a photo of four cars";
const FOLDER = "out";

export function start(program: Command, io: Io): void {
  drawingOptions(program.command("start"))
    .description(`draw a picture into ${FOLDER}/ with the default model, then describe it`)
    .argument("[prompt...]", "what to draw", [PROMPT])
    .action((words: string[], options: DrawingOptions) => show(words.join(" "), options, io));
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function show(prompt: string, options: DrawingOptions, io: Io): Promise<void> {
  if (options.output === "-") fail("standard output is for the description", { where: "-o -", hint: "Name a file." });
  const tell = (label: string, text: string) =>
    options.json ? Promise.resolve() : io.out(`${label.padEnd(13)}${printable(text)}\n`);
  if (options.output === undefined) await makeFolder(FOLDER);
  const outputs = await planOutputs({ output: FOLDER, ...options }, prompt);

  const begun = performance.now();
  const model = await openModel(options, io);
  const loading = performance.now() - begun;
  try {
    await tell("prompt", prompt);
    const draw = (settings: DrawOptions) => model.generateImage(prompt, settings);
    const { result, paths } = await drawAndWrite(model, draw, outputs, options, io);
    const [picture] = result.images;
    for (const path of paths) await tell("picture", path);
    if (io.colors && !options.json) await io.out(preview(picture));

    const described = await model.describe(picture, undefined, { seed: result.seed, signal: io.signal });
    warn(io, described.warnings);
    await tell("description", described.text);
    const { tokens, passes, timings } = described;
    const drawing = `drawing ${seconds(result.timings.total)} (${result.steps} steps)`;
    const describing = `describing ${seconds(timings.total)} (${tokens} tokens in ${passes} passes)`;
    await tell("time", `loading ${seconds(loading)}, ${drawing}, ${describing}`);
    const report = { prompt, paths, seed: result.seed, text: described.text };
    const times = { loading, drawing: result.timings, describing: timings };
    if (options.json) await io.out(`${JSON.stringify({ ...report, ...times })}\n`);
  } finally {
    await model.dispose();
  }
}
