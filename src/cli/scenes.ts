/** fewstep scenes: a contact sheet of the scenes that models are trained on. */
import { type Command, Option } from "commander";
import { fail, throwIfAborted } from "../base/index.ts";
import { encodePicture, type Picture, sheet } from "../image/index.ts";
import { DOMAINS, type DomainName, loadAtlas, makeScene, type Split } from "../scenes/index.ts";
import { formatOf, resized } from "../tasks/index.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";
import { outputPaths, writeOutput } from "./shell/output.ts";

interface Options {
  domain: DomainName;
  columns: number;
  rows: number;
  seed: number;
  split: Split;
  captions: boolean;
  size: number;
  output?: string;
}

const MAX_SCENES = 1000;

export function scenes(program: Command, io: Io): void {
  program
    .command("scenes")
    .description("write a contact sheet of scenes that models are trained on")
    .addOption(new Option("--domain <name>", "how wide a world").choices(Object.keys(DOMAINS)).default("quarters"))
    .option("--columns <count>", "pictures in a row", number, 6)
    .option("--rows <count>", "rows", number, 6)
    .option("--seed <number>", "which stream of scenes", number, 0)
    .addOption(
      new Option("--split <name>", "scenes to train on, or combinations never trained on")
        .choices(["train", "heldout"])
        .default("train"),
    )
    .option("--size <pixels>", "side of a picture on the sheet", number, 128)
    .option("--no-captions", "pictures only")
    .option("-o, --output <file>", "picture to write (default: named by the domain)")
    .action(async ({ domain, columns, rows, seed, split, captions, size, output }: Options) => {
      const count = columns * rows;
      if (!(Number.isInteger(columns) && Number.isInteger(rows) && columns > 0 && count > 0 && count <= MAX_SCENES))
        fail("bad number of scenes", { expected: `1 to ${MAX_SCENES}`, got: `${columns} columns, ${rows} rows` });
      const [path] = await outputPaths(output, `scenes ${domain} ${split}`, 1);
      const atlas = await loadAtlas();
      const pictures: Picture[] = [];
      const texts: string[] = [];
      for (let index = 0; index < count; index++) {
        throwIfAborted(io.signal);
        const { width, height, pixels, prompt } = makeScene(atlas, DOMAINS[domain], { seed, index, split });
        pictures.push(resized({ width, height, data: pixels }, size));
        texts.push(prompt);
      }
      const made = sheet(pictures, { columns, captions: captions ? texts : [] });
      await io.out(`${await writeOutput(path, await encodePicture(made, formatOf(path)), io)}\n`);
    });
}
