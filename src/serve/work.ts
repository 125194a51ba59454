/** What the server and the process of a model say to each other. Bytes travel as bytes; nothing here is a path. */
import type { ErrorCode } from "../base/index.ts";
import type { Format, MaskMode } from "../image/index.ts";
import type { ModelSource } from "../models/index.ts";
import { labelModelFolder } from "../models/var/index.ts";
import type { DescribeOptions, DrawOptions, ImageSettings, Margins, Timings } from "../tasks/index.ts";

/** How to draw and what to hand over. */
export interface Drawing extends Pick<DrawOptions, "steps" | "guidance" | "topK" | "temperature" | "seed" | "n"> {
  schedule?: string;
  /** Class models alone: scales that the drafter decides. */
  draftScales?: number;
  prompt: string;
  format: Format;
  quality: number;
  /** Sides of the file in pixels; undefined: the size of the model, enlarged to 256 where it is smaller. */
  size?: { width: number; height: number };
  /** Steps to hand over as pictures, spread over all steps. */
  partials: number;
  /** Whether steps tell their cells. */
  cells: boolean;
}

export interface GenerateWork extends Drawing {
  task: "generate";
}

/** Inpainting or extrapolation, by what the picture, its mask and its margins ask for. */
export interface EditWork extends Drawing {
  task: "edit";
  image: Uint8Array;
  mask?: Uint8Array;
  maskMode: MaskMode;
  margins?: Margins;
}

type Describing = Pick<DescribeOptions, "decoding" | "block" | "temperature" | "topK" | "seed" | "maxTokens">;

export interface DescribeWork extends Describing {
  task: "describe";
  image: Uint8Array;
  question?: string;
}

export type Work = GenerateWork | EditWork | DescribeWork;

export interface DrawnImage {
  bytes: Uint8Array;
  width: number;
  height: number;
  settings: ImageSettings;
}

export interface ImageTokens {
  /** Tokens of the prompt, of the given picture, and of all pictures drawn. */
  text: number;
  given: number;
  drawn: number;
}

export interface Cells {
  tokens: Int32Array;
  mask: Uint8Array;
  confidence: Float32Array;
}

/** What work says while it is under way; the last one is `images` or `answer`. */
export type WorkEvent =
  | { kind: "step"; index: number; total: number; grid: { height: number; width: number }; images?: Cells[] }
  | {
      kind: "partial";
      index: number;
      total: number;
      image: number;
      bytes: Uint8Array;
      width: number;
      height: number;
    }
  | {
      kind: "text";
      delta: string;
      draft: string;
      pass: number;
      tokens: number;
      /** As in the answer, for those who have heard enough before it comes. */
      promptTokens: number;
      seed: number;
      warnings: readonly string[];
    }
  | { kind: "images"; images: DrawnImage[]; tokens: ImageTokens; timings: Timings; warnings: readonly string[] }
  | {
      kind: "answer";
      text: string;
      question: string;
      tokens: number;
      promptTokens: number;
      passes: number;
      finish: "stop" | "length";
      seed: number;
      timings: Timings;
      warnings: readonly string[];
    };

/** What a model is, told when it is loaded. */
export interface About {
  resolution: number;
  grid: number;
  codebook: number;
  defaults: { steps: number; guidance: number; temperature?: number; draftScales?: number };
  question?: string;
  maxTokens?: number;
  words?: string[];
  /** Of class models: what they draw. */
  classes?: string[];
}

export interface Assignment {
  id: string;
  work: Work;
}

export type ToEngine =
  | { kind: "load"; source: ModelSource; threads?: number }
  | { kind: "run"; batch: Assignment[] }
  | { kind: "cancel"; id: string };

export interface Failed {
  message: string;
  code: ErrorCode;
  where?: string;
}

export type FromEngine =
  | { kind: "ready"; about: About }
  | { kind: "unloadable"; error: Failed }
  | { kind: "event"; id: string; event: WorkEvent }
  | { kind: "failed"; id: string; error: Failed }
  /** All of the batch has ended; another may come. */
  | { kind: "idle" };

/** Whether a model draws classes scale by scale instead of sentences by denoising. */
export const drawsClasses = (source: ModelSource): source is string =>
  typeof source === "string" && labelModelFolder(source) !== undefined;

/** Works with the same key may be drawn in one batch; undefined is done alone. */
export function batchKey(work: Work): string | undefined {
  if (work.task !== "generate") return undefined;
  const { steps, guidance, topK, temperature, schedule, draftScales } = work;
  return JSON.stringify([steps, guidance, topK, temperature, schedule, draftScales]);
}

/** Pictures that a work draws at once. */
export const rowsOf = (work: Work): number => (work.task === "describe" ? 1 : (work.n ?? 1));
