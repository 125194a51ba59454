/** One error type for everything a person may get wrong. It knows nothing of what failed, only how to say it. */

/** Machine-readable reason; the message is for people. */
export type ErrorCode =
  | "BAD_INPUT" // an argument, prompt, option or picture is wrong
  | "BAD_FILE" // a file is truncated, malformed or of another format
  | "BAD_WEIGHTS" // a state dict does not fit the model
  | "BAD_GRAPH" // an operator was given shapes or types it does not take
  | "NOT_FOUND"
  | "NO_SPACE" // disk full, folder not writable
  | "OUT_OF_MEMORY"
  | "BACKEND_UNAVAILABLE"
  | "DIVERGED" // training produced NaN or infinity
  | "ABORTED"
  | "INTERNAL"; // a bug of ours

export interface Failure {
  /** Where it happened: a file, an option, a layer. */
  where?: string;
  expected?: string;
  got?: string;
  /** What to do about it. */
  hint?: string;
  code?: ErrorCode;
  cause?: unknown;
}

export class FewstepError extends Error {
  readonly code: ErrorCode;
  readonly where?: string;
  readonly hint?: string;

  constructor(what: string, { where, expected, got, hint, code = "BAD_INPUT", cause }: Failure = {}) {
    const lines = [where ? `${where}: ${what}` : what];
    if (expected !== undefined) lines.push(`  expected ${expected}`);
    if (got !== undefined) lines.push(`  got      ${got}`);
    if (hint !== undefined) lines.push(`  ${hint}`);
    super(lines.join("\n"), cause === undefined ? undefined : { cause });
    this.name = "FewstepError";
    this.code = code;
    this.where = where;
    this.hint = hint;
  }
}

/** Throws a FewstepError: says what is wrong, where, what was expected, what came and what to do. */
export function fail(what: string, failure?: Failure): never {
  throw new FewstepError(what, failure);
}

/** Marks a bug of ours: a state that no input may reach. */
export function internal(what: string): never {
  throw new FewstepError(`internal: ${what}`, {
    code: "INTERNAL",
    hint: "This is a bug in fewstep; please report it.",
  });
}

/** Throws the abort reason as a FewstepError when `signal` is aborted. Called between steps of everything long. */
export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) fail("cancelled", { code: "ABORTED", cause: signal.reason });
}
