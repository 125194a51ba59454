/** Conversion as several commands do it: calibration texts, progress, what came out. */
import { type ConvertReport, convertLabelModel, convertModel } from "../../convert/index.ts";
import { gigabytes } from "../../files/index.ts";
import { locateModel, type ModelSource } from "../../models/index.ts";
import type { PackedDType } from "../../models/showo/index.ts";
import { questionText } from "../../models/showo/index.ts";
import type { PublishedFiles } from "../../models/var/index.ts";
import { loadTokenizer, phiTokenizer } from "../../text/index.ts";
import type { Io } from "./io.ts";
import { progressBar } from "./progress.ts";

/** Words of `--dtype`, and the dtypes they mean. */
export const DTYPE_WORDS = {
  mixed: ["q8", "q4"],
  fp32: ["fp32"],
  fp16: ["fp16"],
  q8: ["q8"],
  q4: ["q4"],
} as const satisfies Record<string, readonly PackedDType[]>;
export type DTypeWord = keyof typeof DTYPE_WORDS;

const PROMPT = "a photo of a red bicycle leaning against a stone wall in the morning sun";

export interface Converting {
  dtype: DTypeWord;
  lora?: string;
  threads?: number;
}

export async function convertWithBar(
  source: ModelSource,
  out: string,
  { dtype, lora, threads }: Converting,
  io: Io,
): Promise<ConvertReport> {
  const { config, textFolder } = locateModel(source);
  const text = textFolder === undefined ? await phiTokenizer() : await loadTokenizer(textFolder);
  const texts = {
    prompt: text.encode(PROMPT),
    question: text.encode(questionText(config.text.captionQuestion)),
  };
  const bar = progressBar(io, "converting");
  try {
    return await convertModel(source, out, {
      dtypes: DTYPE_WORDS[dtype],
      texts,
      lora,
      threads,
      signal: io.signal,
      onProgress: ({ done, total }) => bar.show(done, total),
    });
  } finally {
    bar.clear();
  }
}

export async function convertLabelWithBar(source: string | PublishedFiles, out: string, io: Io) {
  const bar = progressBar(io, "converting");
  try {
    return await convertLabelModel(source, out, {
      signal: io.signal,
      onProgress: ({ done, total }) => bar.show(done, total),
    });
  } finally {
    bar.clear();
  }
}

/** Lines that say how far each dtype is from float32. */
export function reportLines({ dtypes, layers, pixels, bytes }: ConvertReport): string[] {
  const percent = (x: number) => `${(100 * x).toFixed(2)} %`;
  const lines = dtypes.map((dtype) => {
    const errors = layers.filter((layer) => layer.dtype === dtype).map(({ error }) => error);
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    return `${dtype.padEnd(5)} error of a layer ${percent(mean)} on average, at most ${percent(Math.max(...errors))}`;
  });
  if (pixels?.rounded)
    lines.push(
      `pixel decoder ${pixels.kept ? "on 8 bits" : "stays float32: on 8 bits"} ${pixels.psnr.toFixed(1)} dB from float32`,
    );
  return [...lines, `${gigabytes(bytes)} on disk`];
}
