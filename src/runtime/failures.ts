/** What ONNX Runtime's errors mean for a person. It reports everything as text. */
import { type ErrorCode, fail } from "../base/index.ts";

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).trim();

/** Text of ONNX Runtime's error, its code, what happened, what to do. */
const CREATE: [text: RegExp, code: ErrorCode, what: string, hint?: string][] = [
  [/doesn't exist|No such file|does not exist|cannot open file/i, "NOT_FOUND", "a file of the model is missing"],
  [/parsing failed|pointer is null|is a directory/i, "BAD_FILE", "this is not an ONNX model", "Export it again."],
  [/are out of bounds or can not be read/i, "BAD_FILE", "the file of the weights is cut short", "Get it again."],
  [/allocate|bad_alloc|bad allocation/i, "OUT_OF_MEMORY", "not enough memory to open the model"],
];

/** Throws for a session that could not be made. */
export function createFailure(cause: unknown, where: string | undefined, device = "cpu"): never {
  const got = textOf(cause);
  const known = CREATE.find(([text]) => text.test(got));
  if (known) return fail(known[2], { where, cause, got, code: known[1], hint: known[3] });
  if (device !== "cpu" && /backend|provider/i.test(got))
    return fail(`the device "${device}" is not available`, {
      cause,
      got,
      code: "BACKEND_UNAVAILABLE",
      hint: 'Use the device "cpu".',
    });
  return fail("ONNX Runtime refused the graph", { where, cause, got, code: "BAD_GRAPH" });
}

/** Throws for a run that failed. */
export function runFailure(cause: unknown): never {
  const got = textOf(cause);
  const memory = /allocate|bad_alloc|bad allocation/i.test(got);
  return fail(memory ? "not enough memory to run the graph" : "ONNX Runtime failed while it ran the graph", {
    cause,
    got,
    code: memory ? "OUT_OF_MEMORY" : "BAD_GRAPH",
    hint: memory ? "Use a smaller batch." : undefined,
  });
}
