/** fewstep studio: the page that draws, served to this machine. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { DEFAULT_MODEL, embeddedModels } from "../models/index.ts";
import { STUDIO_PORT, startStudio } from "../studio/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  port: number;
  runs: string;
  model?: string[];
  threads?: number;
}

const several = (value: string, before: string[] = []): string[] => [...before, value];

export function studio(program: Command, io: Io): void {
  program
    .command("studio")
    .description("open the studio: draw, edit, describe and compare in a browser, and watch training runs")
    .option("--port <number>", "port to listen on; 0 takes a free one", number, STUDIO_PORT)
    .option("--runs <folder>", "folder of training runs", "out")
    .option("--model <name>", "a model, or the folder of one; may be repeated (default: those of the package)", several)
    .option("--threads <count>", "processor threads of each model (default: all)", number)
    .action((options: Options) => open(options, io));
}

/**
 * All that the package carries, so that they can be compared; the default one comes first. With all scales drafted code-mini
 * is var-mini.
 */
const ofThePackage = (): string[] => [...new Set([DEFAULT_MODEL, ...embeddedModels(), "code-mini"])];

async function open({ port, runs, model: models = ofThePackage(), threads }: Options, io: Io): Promise<void> {
  if (runs !== "out" && !existsSync(runs))
    fail("there is no such folder", { where: runs, hint: "Name the folder that --out of fewstep train was in." });
  const server = await startStudio({ port, runs, threads, models });
  await io.out(`The studio is at ${server.url}\n`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.close();
}
