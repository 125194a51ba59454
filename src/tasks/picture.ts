/** Pictures on their way in and out of a model: files and pixels to tokens, tokens to pictures that can be saved. */
import { fail } from "../base/index.ts";
import { writeAtomic } from "../files/index.ts";
import {
  encodePicture,
  enlarge,
  type Format,
  type Picture,
  picture,
  postprocess,
  preprocess,
  readPicture,
} from "../image/index.ts";
import type { ShowoModel } from "./model.ts";

/** A path, the bytes of a picture file, or RGB pixels. */
export type ImageLike = string | Uint8Array | Picture;

/** How a picture was made; written into the PNG files it is saved to. */
export interface ImageSettings {
  readonly task: "generate" | "inpaint" | "extend";
  readonly model: string;
  readonly prompt: string;
  readonly seed: number;
  readonly steps: number;
  readonly guidance: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly schedule: string;
  /** Model that decided the first steps. */
  readonly drafter?: string;
  readonly draftSteps?: number;
  readonly draftGuidance?: number;
  /** Scales that the drafter of a class model decided. */
  readonly draftScales?: number;
  /** Of class models: the mass that codes were drawn from, and what was not the same in all scales. */
  readonly topP?: number;
  readonly scaleTopK?: readonly number[];
  readonly scaleTemperatures?: readonly number[];
  /** Pixels that an extension added. */
  readonly left?: number;
  readonly right?: number;
  readonly up?: number;
  readonly down?: number;
}

export interface EncodeOptions {
  /** Pixels of the shorter side; default: as the model drew it. Whole multiples repeat pixels, others are smooth. */
  size?: number;
  /** 1 to 100, for JPEG and WebP; default 90. */
  quality?: number;
}

/** RGB pixels, and how they came about. */
export interface GeneratedImage extends Picture {
  /** Codebook ids, row by row. */
  readonly tokens: Int32Array;
  readonly settings: ImageSettings;
  /** Bytes of a picture file; a PNG carries the settings. */
  encode(format?: Format, options?: EncodeOptions): Promise<Uint8Array>;
  /** Writes .png, .jpg or .webp by the name, replacing the file whole or not at all. */
  save(path: string, options?: EncodeOptions): Promise<void>;
}

/** Errors: NOT_FOUND; BAD_FILE for what is no picture; BAD_INPUT for pixels that do not fill their size. */
export async function readImage(image: ImageLike): Promise<Picture> {
  if (typeof image === "string" || image instanceof Uint8Array) return readPicture(image);
  if (!(image?.data instanceof Uint8Array))
    fail("not a picture", { where: "image", expected: "a path, bytes of a file, or { width, height, data }" });
  return picture(image.width, image.height, image.data);
}

/** A picture as tokens: resized and cut to the middle square that the model sees. */
export function imageTokens(model: ShowoModel, source: Picture): Promise<Int32Array> {
  const { resolution } = model.config.magvit;
  return model.tokenizer.encode(preprocess(withoutEnlargement(source, resolution), resolution));
}

/**
 * A picture whose pixels were repeated to enlarge it, as `save` does, at its own size again: resizing would blur it.
 * Others come back as they are.
 */
function withoutEnlargement(source: Picture, side: number): Picture {
  const factor = Math.min(source.width, source.height) / side;
  if (!Number.isInteger(factor) || factor === 1 || source.width % factor || source.height % factor) return source;
  const [width, height] = [source.width / factor, source.height / factor];
  const small = picture(width, height);
  for (let i = 0; i < width * height * 3; i++) {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    small.data[i] = source.data[(y * source.width + x) * factor * 3 + c];
  }
  const repeated = enlarge(small, source.width, source.height);
  return repeated.data.every((value, i) => value === source.data[i]) ? small : source;
}

/** Tokens of a grid as a picture of plain pixels. */
export async function drawTokens(
  model: ShowoModel,
  tokens: Int32Array,
  { height, width }: { height: number; width: number },
): Promise<Picture> {
  return postprocess(await model.tokenizer.decode(tokens, height, width))[0];
}

export function generatedImage(drawn: Picture, tokens: Int32Array, settings: ImageSettings): GeneratedImage {
  const image: GeneratedImage = {
    ...drawn,
    tokens,
    settings,
    async encode(format = "png", { size, quality } = {}) {
      const shown = size === undefined ? drawn : resized(drawn, size);
      return encodePicture(shown, format, { quality, text: format === "png" ? textOf(image) : undefined });
    },
    async save(path, options) {
      await writeAtomic(path, await image.encode(formatOf(path), options));
    },
  };
  return image;
}

/** The picture with a shorter side of `size` pixels. */
export function resized(drawn: Picture, size: number): Picture {
  if (!(Number.isInteger(size) && size >= 1 && size <= 4096))
    fail("bad picture size", { where: "size", expected: "a whole number of pixels from 1 to 4096", got: `${size}` });
  const scale = size / Math.min(drawn.width, drawn.height);
  return enlarge(drawn, Math.round(drawn.width * scale), Math.round(drawn.height * scale));
}

const FORMATS: Record<string, Format> = { ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp" };

/** Endings of picture files that can be written. */
export const PICTURE_ENDINGS = Object.keys(FORMATS).join(", ");

/** The format that a file name asks for. */
export const formatOf = (path: string): Format =>
  FORMATS[/\.\w+$/.exec(path)?.[0].toLowerCase() ?? ""] ??
  fail("unknown picture format", { where: path, expected: `a name ending in ${PICTURE_ENDINGS}` });

/** `parameters` as other programs write and read it, `fewstep` as JSON. Their scale of guidance begins at 1, not 0. */
function textOf({ settings, width, height }: GeneratedImage): Record<string, string> {
  const { prompt, steps, guidance, seed, model, schedule } = settings;
  const line = `Steps: ${steps}, Sampler: ${schedule}, CFG scale: ${1 + guidance}, Seed: ${seed}`;
  return {
    parameters: `${prompt}\n${line}, Size: ${width}x${height}, Model: ${model}`.replaceAll("\0", ""),
    fewstep: JSON.stringify(settings),
  };
}
