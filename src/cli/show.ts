/** fewstep show MODEL: what a model is made of, what it needs, where it comes from. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { bytesIn, gigabytes } from "../files/index.ts";
import {
  availableMemory,
  estimateMemory,
  locateModel,
  modelFolder,
  packedDTypes,
  publishedModel,
} from "../models/index.ts";
import type { Io } from "./shell/io.ts";

export function show(program: Command, io: Io): void {
  program
    .command("show")
    .description("show what a model is made of and what memory it needs")
    .argument("<model>", "name or folder of a model")
    .option("--json", "print one JSON object instead of text")
    .action(async (name: string, { json }: { json?: boolean }) => {
      const published = publishedModel(name);
      const folder = folderOf(name);
      if (folder === undefined && !published) modelFolder(name);
      const about = { ...(published && { published }), ...(folder !== undefined && detailsOf(folder)) };
      await io.out(json ? `${JSON.stringify(about)}\n` : `${linesOf(name, about).join("\n")}\n`);
    });
}

const folderOf = (name: string): string | undefined => {
  try {
    return modelFolder(name);
  } catch {
    return undefined;
  }
};

function detailsOf(folder: string) {
  const { config } = locateModel(folder);
  const { showo, magvit } = config;
  const memory = packedDTypes(folder).map((dtype) => ({
    dtype,
    ...estimateMemory(folder, showo, [dtype], magvit.resolution),
  }));
  return { folder, model: config.model, bytes: bytesIn(folder), showo, magvit, memory, errors: errorsOf(folder) };
}

/** The largest error of a layer for each dtype, from the report of the conversion. */
function errorsOf(folder: string): Record<string, number> {
  const path = join(folder, "report.json");
  if (!existsSync(path)) return {};
  try {
    const { layers } = JSON.parse(readFileSync(path, "utf8")) as { layers: { dtype: string; error: number }[] };
    const worst: Record<string, number> = {};
    for (const { dtype, error } of layers) worst[dtype] = Math.max(worst[dtype] ?? 0, error);
    return worst;
  } catch (cause) {
    return fail("the report of the conversion is damaged", { where: path, code: "BAD_FILE", cause });
  }
}

type About = Partial<ReturnType<typeof detailsOf>> & { published?: ReturnType<typeof publishedModel> };

function linesOf(name: string, { published, folder, bytes, showo, magvit, memory = [], errors = {} }: About): string[] {
  const lines = [published?.showo ?? name];
  if (published) {
    const { showo: transformer, magvit: pixels, tokenizer, licence, about } = published;
    lines.push(`  ${about}`, `  made of ${transformer}, ${pixels}, ${tokenizer}`, `  licence: ${licence}`);
  }
  if (folder === undefined || !showo || !magvit) return [...lines, "  not here; pull it first"];
  lines.push(`  in ${folder}, ${gigabytes(bytes ?? 0)}`);
  lines.push(
    `  ${magvit.resolution} pixels as ${showo.imageTokens} tokens; ${showo.layers} layers, ${showo.hiddenSize} wide`,
  );
  for (const { dtype, total, weights } of memory) {
    const error = errors[dtype] === undefined ? "" : `, error of a layer at most ${(100 * errors[dtype]).toFixed(2)} %`;
    lines.push(`  ${dtype}: ${gigabytes(total)} of memory (${gigabytes(weights)} of weights)${error}`);
  }
  if (memory.length) lines.push(`  ${gigabytes(availableMemory())} of memory is available`);
  return lines;
}
