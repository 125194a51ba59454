/** fewstep pull MODEL: downloads the repositories of a published model and makes one runnable model of them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import { hubFrom, pullRepositories } from "../files/index.ts";
import { modelsHome, PUBLISHED, publishedModel, wantedFiles } from "../models/index.ts";
import { bytesBar } from "./shell/bytes.ts";
import { convertWithBar, DTYPE_WORDS, type DTypeWord, reportLines } from "./shell/converting.ts";
import type { Io } from "./shell/io.ts";
import { number } from "./shell/options.ts";

interface Options {
  dtype: DTypeWord;
  revision?: string;
  convert: boolean;
  threads?: number;
}

export function pull(program: Command, io: Io): void {
  program
    .command("pull")
    .description("download a published model and convert it; killed, it goes on where it was")
    .argument("<model>", `one of ${PUBLISHED.map(({ showo }) => showo).join(", ")}`)
    .addOption(
      new Option("--dtype <dtype>", "mixed: q8 for pictures, q4 for text")
        .choices(Object.keys(DTYPE_WORDS))
        .default("mixed"),
    )
    .option("--revision <name>", "branch, tag or commit of the model's repository")
    .option("--no-convert", "only download")
    .option("--threads <count>", "threads of the conversion (default: all cores)", number)
    .action((name: string, options: Options) => pullModel(name, options, io));
}

async function pullModel(name: string, { revision, convert, ...settings }: Options, io: Io): Promise<void> {
  const model =
    publishedModel(name) ??
    fail(`there is no published model "${name}"`, {
      code: "NOT_FOUND",
      expected: PUBLISHED.map(({ showo }) => showo).join(", "),
    });
  const out = join(modelsHome(io.env), model.showo);
  if (convert && existsSync(out)) {
    io.err(`fewstep: ${model.showo} is here already; fewstep rm ${model.showo} removes it\n`);
    return io.out(`${out}\n`);
  }
  const bar = bytesBar(io, "downloading");
  const wanted = wantedFiles(model).map((files, i) => (i === 0 ? { ...files, revision } : files));
  let folders: string[];
  try {
    folders = await pullRepositories(hubFrom(io.env), wanted, {
      signal: io.signal,
      onProgress: ({ done, total }) => bar.show(done, total),
      onWait: (file) => io.err(`fewstep: another process downloads ${file}; waiting\n`),
    });
  } finally {
    bar.clear();
  }
  const [showo, magvit, tokenizer] = folders;
  if (!convert) return io.out(`${folders.join("\n")}\n`);
  const report = await convertWithBar({ showo, magvit, tokenizer }, out, settings, io);
  for (const line of reportLines(report)) io.err(`${line}\n`);
  await io.out(`${out}\n`);
}
