/** What a compiled graph looks like, wherever it runs. */
import type { NdArray } from "../base/index.ts";

export type Arrays = Readonly<Record<string, NdArray>>;

export interface Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * One execution. `into` names outputs that are written to given arrays instead of fresh ones; an array may be a feed
   * and an `into` at once (in-place state) if every reader of the old value is a graph ancestor of the writer.
   */
  run(feeds: Arrays, into?: Arrays): Promise<Record<string, NdArray>>;
  dispose(): Promise<void>;
}

export interface CompileOptions {
  /** Threads of one operator; default: all cores. */
  threads?: number;
  /** Busy-wait between operators: a little faster on an idle machine, much slower when cores are shared. */
  spinning?: boolean;
  /** ONNX Runtime execution provider. */
  device?: "cpu" | "webgpu" | "cuda";
  /** Writes a profile (JSON, chrome tracing) with this file prefix. */
  profile?: string;
}
