/** What the operating system's file errors mean to a person. */
import { dirname } from "node:path";
import { type ErrorCode, type Failure, FewstepError, fail } from "../base/index.ts";

type Explained = [what: string, code: ErrorCode, hint?: string];

function reading(errno: string): Explained | undefined {
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      return ["there is no such file", "NOT_FOUND", "Check the path."];
    case "EISDIR":
      return ["this is a folder, not a file", "BAD_FILE", "Name a file inside it."];
    case "EACCES":
    case "EPERM":
      return ["the file may not be read", "BAD_FILE", "Give this user the right to read it."];
    default:
      return undefined;
  }
}

function writing(errno: string, path: string): Explained | undefined {
  const folder = dirname(path);
  switch (errno) {
    case "ENOENT":
      return [`the folder ${folder} does not exist`, "NOT_FOUND", `Create it (mkdir -p ${folder}) or write elsewhere.`];
    case "ENOTDIR":
      return [`${folder} is not a folder`, "NOT_FOUND", "Name a path whose parents are all folders."];
    case "EISDIR":
      return ["this is a folder", "BAD_INPUT", "Name a file, for example one inside this folder."];
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return [`the folder ${folder} may not be written to`, "NO_SPACE", "Write elsewhere or change its permissions."];
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return ["the disk is full", "NO_SPACE", "Free some space or write to another disk; nothing was left behind."];
    default:
      return undefined;
  }
}

/** Turns an error of a file operation on `path` into a FewstepError; others pass unchanged. */
export function explain(error: unknown, path: string, doing: "read" | "write"): never {
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  if (error instanceof FewstepError || typeof errno !== "string") throw error;
  const known = doing === "read" ? reading(errno) : writing(errno, path);
  const failure: Failure = { where: path, cause: error };
  if (!known) return fail(`cannot ${doing} this file: ${(error as Error).message}`, { ...failure, code: "BAD_FILE" });
  return fail(known[0], { ...failure, code: known[1], got: errno, hint: known[2] });
}
