/** fewstep convert SOURCE OUT: weights to graphs with external data, smaller and faster. */
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import type { ModelSource } from "../models/index.ts";
import { convertWithBar, DTYPE_WORDS, type DTypeWord, reportLines } from "./shell/converting.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  dtype: DTypeWord;
  magvit?: string;
  tokenizer?: string;
  lora?: string;
  threads?: number;
  json?: boolean;
}

export function convert(program: Command, io: Io): void {
  program
    .command("convert")
    .description("convert a model to a smaller and faster form; killed, it goes on where it was")
    .argument("<source>", "name or folder of a model, or the folder of a published Show-o")
    .argument("<out>", "folder to write")
    .addOption(
      new Option("--dtype <dtype>", "mixed: q8 for pictures, q4 for text")
        .choices(Object.keys(DTYPE_WORDS))
        .default("mixed"),
    )
    .option("--magvit <folder>", "folder of the published picture tokenizer, for a published Show-o")
    .option("--tokenizer <folder>", "folder with tokenizer.json, for a published Show-o")
    .option("--lora <path>", "adapter to add first")
    .option("--threads <count>", "threads (default: all cores)", number)
    .option("--json", "print one JSON object instead of text")
    .action(async (from: string, out: string, { magvit, tokenizer, json, ...options }: Options) => {
      if (tokenizer !== undefined && magvit === undefined)
        fail("--tokenizer belongs to --magvit", { hint: "Name both folders of a published Show-o." });
      const source: ModelSource = magvit === undefined ? from : { showo: from, magvit, tokenizer };
      const report = await convertWithBar(source, out, options, io);
      await io.out(
        json ? `${JSON.stringify({ folder: out, ...report })}\n` : `${[...reportLines(report), out].join("\n")}\n`,
      );
    });
}
