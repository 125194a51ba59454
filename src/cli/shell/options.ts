/** Options that several commands share. They only check that numbers are numbers; the tasks know what is allowed. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { DEVICES, type DeviceName } from "../../runtime/index.ts";
import { loadModel, type Model } from "../../tasks/index.ts";
import type { Io } from "./io.ts";
import { progressBar } from "./progress.ts";

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("This is not a number.");
  return value;
}

const DTYPES = ["auto", "mixed", "q8", "q4", "fp16", "fp32"] as const;

export interface ModelOptions {
  model?: string;
  dtype?: (typeof DTYPES)[number];
  device?: DeviceName;
  threads?: number;
  json?: boolean;
}

export const modelOptions = (command: Command): Command =>
  command
    .option("--model <name>", "name of a model that is here, or its folder")
    .addOption(new Option("--dtype <dtype>", "weights of a converted model (default: what fits)").choices(DTYPES))
    .addOption(new Option("--device <name>", "what computes (default: cpu); see fewstep doctor").choices(DEVICES))
    .option("--threads <count>", "processor threads (default: all)", number)
    .option("--json", "print one JSON object instead of text");

export interface DrawingOptions extends ModelOptions {
  steps?: number;
  guidance?: number;
  topK?: number;
  temperature?: number;
  seed?: number;
  n?: number;
  output?: string;
  size?: number;
  stepsStrip?: string;
}

export const drawingOptions = (command: Command): Command =>
  modelOptions(
    command
      .option("--steps <count>", "denoising steps (default: by the model)", number)
      .option("--guidance <weight>", "how strictly the prompt is followed; 0 asks once (default: by the model)", number)
      .option("--top-k <count>", "draw tokens from the k most likely ones only", number)
      .option("--temperature <strength>", "noise in the order of decisions; 0 decides the surest first", number)
      .option("--seed <number>", "the same seed gives the same picture (default: random)", number)
      .option("-n <count>", "how many pictures, with the seeds that follow", number)
      .option("-o, --output <file>", "picture or folder to write, - for standard output (default: named by the prompt)")
      .option("--size <pixels>", "shorter side of the file (default: small pictures are enlarged to 256)", number)
      .option("--steps-strip <file>", "also write the denoising steps side by side"),
  );

/** Loads the model that the options name, showing how far it is. */
export async function openModel({ model, dtype, device, threads }: ModelOptions, io: Io): Promise<Model> {
  const bar = progressBar(io, "loading");
  try {
    const onProgress = ({ done, total }: { done: number; total: number }) => bar.show(done, total);
    return await loadModel(model, { dtype, device, threads, host: io.host, signal: io.signal, onProgress });
  } finally {
    bar.clear();
  }
}

/** A prompt as given, or read from standard input for "-". */
export async function promptFrom(argument: string, io: Io): Promise<string> {
  if (argument !== "-") return argument;
  return new TextDecoder().decode(await io.input()).trimEnd();
}

/** A picture file by its path, or read from standard input for "-". */
export const imageFrom = async (argument: string, io: Io): Promise<string | Uint8Array> =>
  argument === "-" ? io.input() : argument;

export function warn(io: Io, warnings: readonly string[]): void {
  for (const warning of warnings) io.err(`fewstep: warning: ${warning}\n`);
}
