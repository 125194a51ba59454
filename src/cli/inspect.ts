/** fewstep inspect FILE: what is in a safetensors or ONNX file, a picture, or the folder of a model. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { fail, parseObject, sizeOf } from "../base/index.ts";
import { readWeights } from "../files/index.ts";
import { readPicture, readPngText } from "../image/index.ts";
import { modelConfigOf } from "../models/index.ts";
import { printOnnx, readOnnx } from "../onnx/index.ts";
import { type Io, printable } from "./shell/io.ts";

/** What was found, for `--json`, and the same as lines to read. */
interface Report {
  kind: string;
  lines: string[];
  [key: string]: unknown;
}

export function inspect(program: Command, io: Io): void {
  program
    .command("inspect")
    .description("show what is in a safetensors or ONNX file, a picture, or the folder of a model")
    .argument("<file>", "file or folder")
    .option("--json", "print one JSON object instead of text")
    .action(async (path: string, { json }: { json?: boolean }) => {
      const { lines, ...report } = await reportOf(path);
      await io.out(json ? `${JSON.stringify(report)}\n` : `${printable(lines.join("\n"))}\n`);
    });
}

async function reportOf(path: string): Promise<Report> {
  if (!existsSync(path)) fail("there is no such file", { where: path, code: "NOT_FOUND", hint: "Check the path." });
  if (statSync(path).isDirectory()) return modelReport(path);
  if (/\.(safetensors|safetensors\.index\.json)$/i.test(path)) return weightsReport(path);
  if (/\.onnx$/i.test(path)) {
    const lines = printOnnx(readOnnx(readFileSync(path), path)).split("\n");
    return { kind: "onnx", listing: lines, lines };
  }
  return pictureReport(path);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 1)} MB`;
const millions = (count: number): string => (count < 1e6 ? `${count}` : `${(count / 1e6).toFixed(1)} million`);

function weightsReport(path: string): Report {
  const file = readWeights(path);
  try {
    const tensors = file.names.map((name) => {
      const { dtype, shape, bytes } = file.info(name);
      return { name, dtype, shape, bytes };
    });
    const parameters = tensors.reduce((n, { shape }) => n + sizeOf(shape), 0);
    const bytes = tensors.reduce((n, tensor) => n + tensor.bytes, 0);
    const notes = Object.entries(file.metadata).map(([key, value]) => `metadata ${key}: ${value}`);
    const width = Math.max(0, ...tensors.map(({ name }) => name.length));
    const list = tensors.map(({ name, dtype, shape }) => `${name.padEnd(width)}  ${dtype} [${shape.join(", ")}]`);
    const summary = `${basename(path)}: ${tensors.length} tensors, ${millions(parameters)} numbers, ${megabytes(bytes)}`;
    return {
      kind: "weights",
      parameters,
      bytes,
      metadata: file.metadata,
      tensors,
      lines: [summary, ...notes, ...list],
    };
  } finally {
    file.close();
  }
}

async function pictureReport(path: string): Promise<Report> {
  const { width, height } = await readPicture(path);
  const bytes = readFileSync(path);
  const text = bytes[0] === 0x89 ? readPngText(bytes) : {};
  const notes = Object.entries(text).flatMap(([key, value]) => [`${key}:`, ...value.split("\n").map((l) => `  ${l}`)]);
  return { kind: "picture", width, height, text, lines: [`${basename(path)}: ${width} x ${height} pixels`, ...notes] };
}

function modelReport(folder: string): Report {
  const path = join(folder, "config.json");
  if (!existsSync(path))
    fail("this is not the folder of a model", { where: folder, code: "NOT_FOUND", expected: "a config.json in it" });
  const { model, showo, magvit, defaults } = modelConfigOf(
    parseObject(readFileSync(path, "utf8"), "the configuration", path),
    path,
  );
  const weights = readdirSync(folder)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => ({ name, report: weightsReport(join(folder, name)) }));
  return {
    kind: "model",
    model,
    showo,
    magvit,
    defaults,
    files: Object.fromEntries(weights.map(({ name, report: { parameters, bytes } }) => [name, { parameters, bytes }])),
    lines: [
      `${model}: ${magvit.resolution} x ${magvit.resolution} pixels as ${showo.imageTokens} tokens of ${showo.codebookSize}`,
      `transformer: ${showo.layers} layers, ${showo.hiddenSize} wide, ${showo.heads} heads, ${showo.llmVocabSize} text tokens`,
      `defaults: ${Object.entries(defaults)
        .map(([key, value]) => `${key} ${value}`)
        .join(", ")}`,
      ...weights.map(({ report }) => report.lines[0]),
    ],
  };
}
