/** What draws and describes, in this page or on a server. Views know nothing else of either. */
import type { protocol } from "fewstep/serve";

export type Task = protocol.Task;

export interface ModelInfo {
  readonly id: string;
  readonly tasks: readonly Task[];
  /** Cells of a picture's side, pixels of a picture's side. */
  readonly grid: number;
  readonly resolution: number;
  readonly steps: number;
  readonly guidance: number;
  readonly temperature?: number;
  readonly question: string;
  /** The words it learnt, if it knows only a few. */
  readonly words?: readonly string[];
  /** What it draws instead of sentences: a whole scale with each step. */
  readonly classes?: readonly string[];
  /** Of its scales, those that the drafter decides. */
  readonly draftScales?: number;
}

export type Edge = "left" | "right" | "up" | "down";
export type Margins = Readonly<Record<Edge, number>>;

/** How to draw, without what. */
export interface How {
  readonly model: string;
  readonly steps: number;
  readonly guidance: number;
  readonly temperature: number;
  readonly schedule: string;
  /** Of models that draw classes, which know neither temperature nor schedule, and as many steps as scales. */
  readonly draftScales?: number;
}

export interface DrawRequest extends How {
  readonly task: Exclude<Task, "describe">;
  readonly prompt: string;
  readonly seed: number;
  readonly n: number;
  /** Bytes of a picture file, to inpaint or extend. */
  readonly image?: Uint8Array<ArrayBuffer>;
  /** 255 where to draw, one byte a pixel of a square. */
  readonly mask?: Mask;
  readonly margins?: Margins;
  /** Whether steps carry pictures. */
  readonly live: boolean;
}

export interface Mask {
  readonly side: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The cells of one picture in one step, row by row. */
export interface Cells {
  /** 1 where the cell is still open. */
  readonly mask: ArrayLike<number>;
  readonly confidence: ArrayLike<number>;
}

export interface Step {
  readonly index: number;
  readonly total: number;
  readonly grid: { readonly height: number; readonly width: number };
  /** None of models that decide a whole scale at once. */
  readonly cells: readonly Cells[];
  readonly pictures: readonly (ImageBitmap | undefined)[];
}

/** As it is written into PNG files. */
export interface PictureSettings extends How {
  readonly task: DrawRequest["task"];
  readonly prompt: string;
  readonly seed: number;
}

export interface Drawn {
  readonly png: Blob;
  readonly settings: PictureSettings;
}

export interface DrawOutcome {
  readonly images: readonly Drawn[];
  /** All of it, and the forward passes alone. */
  readonly ms: number;
  readonly modelMs: number;
  readonly warnings: readonly string[];
}

export interface DescribeRequest {
  readonly model: string;
  readonly image: Uint8Array<ArrayBuffer>;
  readonly question: string;
  readonly decoding: "jacobi" | "ar";
  readonly block: number;
}

/** What one forward pass settled, and what it guesses comes next. */
export interface Pass {
  readonly text: string;
  readonly draft: string;
  readonly tokens: number;
}

export interface TextOutcome {
  readonly text: string;
  readonly tokens: number;
  readonly passes: number;
  readonly ms: number;
  readonly warnings: readonly string[];
}

export interface Engine {
  readonly place: "browser" | "server";
  /** What computes, for a person. */
  readonly device: string;
  readonly models: readonly ModelInfo[];
  /** Addresses of the weights that it has fetched. */
  files(): readonly string[];
  draw(request: DrawRequest, onStep: (step: Step) => void, signal: AbortSignal): Promise<DrawOutcome>;
  describe(request: DescribeRequest, onPass: (pass: Pass) => void, signal: AbortSignal): Promise<TextOutcome>;
  close(): Promise<void>;
}
