/** fewstep convert SOURCE OUT: weights to graphs with external data, smaller and faster. */
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import { gigabytes } from "../files/index.ts";
import type { ModelSource } from "../models/index.ts";
import { labelModelFolder } from "../models/var/index.ts";
import { convertLabelWithBar, convertWithBar, DTYPE_WORDS, type DTypeWord, reportLines } from "./shell/converting.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  dtype: DTypeWord;
  magvit?: string;
  vae?: string;
  refiner?: string;
  tokenizer?: string;
  lora?: string;
  threads?: number;
  json?: boolean;
}

export function convert(program: Command, io: Io): void {
  program
    .command("convert")
    .description("convert a model to a smaller and faster form; killed, a Show-o goes on where it was")
    .argument("<source>", "name or folder of a model, the folder of a published Show-o, or the file of a published VAR")
    .argument("<out>", "folder to write")
    .addOption(
      new Option("--dtype <dtype>", "mixed: q8 for pictures, q4 for text; models that draw classes: q8")
        .choices(Object.keys(DTYPE_WORDS))
        .default("mixed"),
    )
    .option("--vae <file>", "published picture tokenizer, for a published VAR")
    .option("--refiner <file>", "published smaller VAR that goes on where the other hands over")
    .option("--magvit <folder>", "folder of the published picture tokenizer, for a published Show-o")
    .option("--tokenizer <folder>", "folder with tokenizer.json, for a published Show-o")
    .option("--lora <path>", "adapter to add first")
    .option("--threads <count>", "threads (default: all cores)", number)
    .option("--json", "print one JSON object instead of text")
    .action(async (from: string, out: string, { magvit, tokenizer, json, vae, refiner, ...options }: Options) => {
      if (refiner !== undefined && vae === undefined)
        fail("--refiner belongs to --vae", { hint: "Name the files of a published VAR and its picture tokenizer." });
      if (vae !== undefined || labelModelFolder(from) !== undefined) {
        if (!["mixed", "q8"].includes(options.dtype) || options.lora !== undefined || magvit !== undefined)
          fail("models that draw classes are converted to q8, and nothing is added to them", { where: from });
        const { bytes } = await convertLabelWithBar(
          vae === undefined ? from : { vae, drafter: from, refiner },
          out,
          io,
        );
        await io.out(json ? `${JSON.stringify({ folder: out, bytes })}\n` : `${gigabytes(bytes)} on disk\n${out}\n`);
        return;
      }
      if (tokenizer !== undefined && magvit === undefined)
        fail("--tokenizer belongs to --magvit", { hint: "Name both folders of a published Show-o." });
      const source: ModelSource = magvit === undefined ? from : { showo: from, magvit, tokenizer };
      const report = await convertWithBar(source, out, options, io);
      await io.out(
        json ? `${JSON.stringify({ folder: out, ...report })}\n` : `${[...reportLines(report), out].join("\n")}\n`,
      );
    });
}
