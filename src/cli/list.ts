/** fewstep list: the models that are here, and those that can be pulled. */
import { join } from "node:path";
import type { Command } from "commander";
import { bytesIn, gigabytes } from "../files/index.ts";
import { embeddedModels, modelFolder, modelsHome, PUBLISHED, packedDTypes, pulledModels } from "../models/index.ts";
import type { Io } from "./shell/io.ts";

export function list(program: Command, io: Io): void {
  program
    .command("list")
    .description("list the models that are here, and the published ones that can be pulled")
    .option("--json", "print one JSON object instead of text")
    .action(async ({ json }: { json?: boolean }) => {
      const home = modelsHome(io.env);
      const here = [
        ...embeddedModels().map((name) => ({ name, folder: modelFolder(name), from: "package" })),
        ...pulledModels(home).map((name) => ({ name, folder: join(home, name), from: "pulled" })),
      ].map((model) => ({ ...model, dtypes: packedDTypes(model.folder), bytes: bytesIn(model.folder) }));
      const others = PUBLISHED.filter(({ showo }) => !here.some(({ name }) => name === showo));
      if (json) return io.out(`${JSON.stringify({ models: here, published: others })}\n`);
      const width = Math.max(...here.map(({ name }) => name.length), ...others.map(({ showo }) => showo.length));
      const lines = [
        ...here.map(({ name, from, dtypes, bytes }) =>
          [name.padEnd(width), gigabytes(bytes).padStart(9), from, dtypes.join("+")].join("  ").trimEnd(),
        ),
        ...others.map(({ showo, about, pixels }) => `${showo.padEnd(width)}  to pull: ${about}, ${pixels} pixels`),
      ];
      await io.out(`${lines.join("\n")}\n`);
    });
}
