/** fewstep synth FOLDER: a checkpoint of published size with procedural weights, to try everything without a download. */
import { type Command, Option } from "commander";
import { synthesize } from "../convert/index.ts";
import { SHOWO_PRESETS } from "../models/showo/index.ts";
import { bytesBar } from "./shell/bytes.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

const SIZES = ["showo-256", "showo-512"] as const;

interface Options {
  size: (typeof SIZES)[number];
  shards: number;
  seed: number;
}

export function synth(program: Command, io: Io): void {
  program
    .command("synth")
    .description("write a checkpoint of published size with made-up weights (6 GB), for trials and benchmarks")
    .argument("<folder>", "folder to write showo/ and magvit/ into")
    .addOption(new Option("--size <name>", "which model").choices(SIZES).default("showo-256"))
    .option("--shards <count>", "files of the transformer", number, 1)
    .option("--seed <number>", "of the weights", number, 1)
    .action(async (folder: string, { size, shards, seed }: Options) => {
      const bar = bytesBar(io, "writing");
      try {
        const onProgress = (done: number, total: number) => bar.show(done, total);
        const config = SHOWO_PRESETS[size];
        const { showo, magvit } = await synthesize(folder, { config, shards, seed, signal: io.signal, onProgress });
        bar.clear();
        await io.out(`${showo}\n${magvit}\n`);
      } finally {
        bar.clear();
      }
    });
}
