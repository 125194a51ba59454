/** What a compiled graph looks like, wherever it runs. */
import type { NdArray } from "../base/index.ts";
import type { Graph } from "../graph/index.ts";

export type Arrays = Readonly<Record<string, NdArray>>;

export interface RunOptions {
  /** Looked at before the run starts; a run that has started finishes. */
  signal?: AbortSignal;
  /** Gives the feeds away: a worker takes their memory instead of a copy, and they are empty afterwards. */
  transfer?: boolean;
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
  /** Ends the host and its programs. Runs that have not finished are rejected with ABORTED. */
  dispose(): Promise<void>;
}
