/** fewstep studio: the page that draws, served to this machine. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { STUDIO_PORT, startStudio } from "../studio/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  port: number;
  runs: string;
  model: string[];
  threads?: number;
}

const several = (value: string, before: string[]): string[] => [...before, value];

export function studio(program: Command, io: Io): void {
  program
    .command("studio")
    .description("open the studio: draw, edit, describe and compare in a browser, and watch training runs")
    .option("--port <number>", "port to listen on; 0 takes a free one", number, STUDIO_PORT)
    .option("--runs <folder>", "folder of training runs", "out")
    .option("--model <name>", "embedded model, or the folder of one; may be repeated", several, [])
    .option("--threads <count>", "processor threads of each model (default: all)", number)
    .action((options: Options) => open(options, io));
}

async function open({ port, runs, model, threads }: Options, io: Io): Promise<void> {
  if (runs !== "out" && !existsSync(runs))
    fail("there is no such folder", { where: runs, hint: "Name the folder that --out of fewstep train was in." });
  const server = await startStudio({ port, runs, threads, models: model.length ? model : undefined });
  await io.out(`The studio is at ${server.url}\n`);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    io.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.close();
}
