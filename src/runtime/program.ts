/** What a compiled graph looks like, wherever it runs. */
import type { NdArray } from "../base/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Places } from "./held.ts";

export type Arrays = Readonly<Record<string, NdArray>>;

/** Float32 numbers that stay where programs run. */
export interface Held {
  readonly id: number;
  readonly length: number;
  read(offset: number, length: number): Promise<Float32Array>;
  write(offset: number, data: Float32Array): Promise<void>;
  release(): Promise<void>;
}

/** Feeds and outputs in held memory, by name. An output may lie inside a feed, as with arrays. */
export interface HeldViews {
  readonly feeds?: Places;
  readonly into?: Places;
}

export interface RunOptions {
  /** Looked at before the run starts; a run that has started finishes. */
  signal?: AbortSignal;
  /** Gives the feeds away: a worker takes their memory instead of a copy, and they are empty afterwards. */
  transfer?: boolean;
  /** More feeds and outputs; these outputs are not part of the result. */
  held?: HeldViews;
}

export interface Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * One execution. `into` names outputs that are written to given arrays instead of fresh ones; an array may be a feed
   * and an `into` at once (in-place state) if every reader of the old value is a graph ancestor of the writer.
   * Errors: an array that does not fit its declaration, named with both shapes; ABORTED.
   */
  run(feeds: Arrays, into?: Arrays, options?: RunOptions): Promise<Record<string, NdArray>>;
  dispose(): Promise<void>;
}

export interface SessionOptions {
  /** Threads of one operator; default: all cores. */
  threads?: number;
  /** Busy-wait between operators: a little faster on an idle machine, much slower when cores are shared. */
  spinning?: boolean;
  /** ONNX Runtime execution provider. */
  device?: "cpu" | "webgpu" | "cuda";
  /**
   * Whether weights are copied in the order that products read them. Without, a large model opens at once and stays a
   * mapped file; float32 products lose little, those of few bits much. Default true.
   */
  prepacking?: boolean;
  /** Writes a profile (JSON, chrome tracing) with this file prefix. */
  profile?: string;
}

/** `inline` blocks the event loop while a program runs; `worker` runs in a thread of its own and copies arrays across. */
export type HostKind = "inline" | "worker";

/** A graph, .onnx bytes, or the path of an .onnx file. */
export type Model = Graph | Uint8Array | string;

export interface CompileOptions extends SessionOptions {
  /** Parameters found here are frozen into a graph; the others stay inputs. */
  weights?: (name: string) => NdArray | undefined;
}

/** A place where programs run, one run at a time. */
export interface Host {
  compile(model: Model, options?: CompileOptions): Promise<Program>;
  /** Memory for programs of this host. Errors: OUT_OF_MEMORY. */
  hold(length: number): Promise<Held>;
  /** Ends the host and its programs. Runs that have not finished are rejected with ABORTED. */
  dispose(): Promise<void>;
}
