/** What the thread of a worker host and its owner say to each other. */
import { arrayOf, type ErrorCode, FewstepError } from "../base/index.ts";
import type { Place } from "./held.ts";
import type { Arrays, HeldViews, SessionOptions } from "./program.ts";

export type Request =
  | { kind: "open"; model: Uint8Array | string; options: SessionOptions }
  | { kind: "run"; program: number; feeds: Arrays; held: HeldViews }
  | { kind: "hold"; length: number }
  | { kind: "read"; place: Place }
  | { kind: "write"; place: Place; data: Float32Array }
  | { kind: "release"; id: number }
  | { kind: "close"; program: number };

export type Answer =
  | { kind: "opened"; program: number; inputs: readonly string[]; outputs: readonly string[] }
  | { kind: "ran"; arrays: Arrays }
  | { kind: "held"; id: number }
  | { kind: "closed" };

export interface PackedError {
  message: string;
  code: ErrorCode;
  where?: string;
  hint?: string;
}

export type Reply = { answer: Answer } | { error: PackedError };

/** Errors lose their class between threads. */
export function packError(error: unknown): PackedError {
  if (error instanceof FewstepError) {
    const { message, code, where, hint } = error;
    return { message, code, where, hint };
  }
  return { message: error instanceof Error ? error.message : String(error), code: "INTERNAL" };
}

export const unpackError = ({ message, code, where, hint }: PackedError): FewstepError =>
  Object.assign(new FewstepError(message, { code }), { where, hint });

/** Fresh arrays that fill their buffers: cloning a view would drag the whole buffer behind it along. */
export const copyArrays = (arrays: Arrays): Arrays =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { dtype, shape, data }]) => {
      const copy = new (arrayOf(dtype) as Uint8ArrayConstructor)(data as Uint8Array);
      return [name, { dtype, shape, data: copy }];
    }),
  );

export const buffersOf = (arrays: Arrays): ArrayBuffer[] => [
  ...new Set(Object.values(arrays).map(({ data }) => data.buffer as ArrayBuffer)),
];
