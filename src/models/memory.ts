/** How much memory a model takes and how much there is, told before anything is loaded. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { freemem } from "node:os";
import { basename, dirname, join } from "node:path";
import { fail } from "../base/index.ts";
import { gigabytes } from "../files/index.ts";
import { cacheBytes, type PackedDType, partFile, type ShowoConfig } from "./showo/index.ts";

/** Bytes that programs may still take: what the system can free, within the limit of this process's group. */
export function availableMemory(): number {
  const system = systemAvailable() ?? freemem();
  const limit = process.constrainedMemory?.() ?? 0;
  // No limit is told as 0 or as a number beyond any memory.
  const room = limit > 0 && limit < 2 ** 50 ? limit - process.memoryUsage.rss() : system;
  return Math.max(0, Math.min(system, room));
}

function systemAvailable(): number | undefined {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Bytes of an .onnx file and of its data files. */
export function programBytes(path: string): number {
  const folder = dirname(path);
  if (!existsSync(folder)) return 0;
  const belongs = (name: string) => name === basename(path) || name.startsWith(`${basename(path)}_data`);
  return readdirSync(folder)
    .filter(belongs)
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

export interface MemoryEstimate {
  /** Weights of the transformer, its caches and what a pass computes, the picture tokenizer. */
  weights: number;
  working: number;
  pixels: number;
  total: number;
}

/** What the runtime itself takes. */
const RUNTIME_BYTES = 150e6;
/** Of the picture tokenizer's widest level, several at a time. */
const PIXEL_LAYERS = 6;

/** Float32 and float16 models are mapped files, yet must be in memory to be quick, so they count in full. */
export function estimateMemory(
  folder: string,
  config: ShowoConfig,
  dtypes: readonly PackedDType[],
  resolution: number,
): MemoryEstimate {
  const heads = (["image_head", "text_head"] as const).map((part) =>
    programBytes(join(folder, partFile(part, dtypes[0]))),
  );
  const bodies = dtypes.map((dtype) => {
    const bytes = programBytes(join(folder, partFile("body", dtype)));
    // Half precision is a way to store: products run on float32.
    return dtype === "fp16" ? 2 * bytes : bytes;
  });
  const weights = [...heads, ...bodies].reduce((a, b) => a + b, 0);
  const rows = config.imageTokens + config.maxTextTokens + 4;
  const pass = 4 * rows * (2 * config.mlpSize + 8 * config.hiddenSize + 2 * config.heads * rows);
  const working = RUNTIME_BYTES + cacheBytes(config, rows) + pass;
  const pixels = programBytes(join(folder, "onnx/vq_decoder.onnx")) + PIXEL_LAYERS * 4 * 128 * resolution ** 2;
  return { weights, working, pixels, total: weights + working + pixels };
}

/** Refuses with advice when a model does not fit. Errors: OUT_OF_MEMORY. */
export function checkMemory(where: string, { total }: MemoryEstimate, smaller: string | undefined): void {
  const available = availableMemory();
  if (total > available)
    fail("this model does not fit into memory", {
      where,
      code: "OUT_OF_MEMORY",
      expected: `${gigabytes(total)} available`,
      got: gigabytes(available),
      hint: smaller
        ? `Load it as ${smaller}, close other programs, or set FEWSTEP_MEMORY=unchecked to try all the same.`
        : "Close other programs, convert it to q4, or set FEWSTEP_MEMORY=unchecked to try all the same.",
    });
}
