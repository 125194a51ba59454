/** JSON that somebody else wrote. */
import { fail } from "./errors.ts";

/** Parses a whole file. Errors: BAD_FILE, "`what` is not JSON" or "is not a JSON object" where it is none. */
export function parseObject(text: string, what: string, where: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    fail(`${what} is not JSON`, { where, code: "BAD_FILE", got: (cause as Error).message, cause });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    fail(`${what} is not a JSON object`, { where, code: "BAD_FILE", got: text.trim().slice(0, 40) });
  return json as Record<string, unknown>;
}
