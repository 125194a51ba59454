/** What a result must say of itself to be believed: which weights exactly, and which code. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** What decides a model's answers; its card does not. */
const DECIDES = /\.(json|safetensors)$/;

/** The first 16 digits of SHA-256 over names and contents of a model folder's weights and settings. */
export async function modelHash(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const names = (await readdir(folder)).filter((name) => DECIDES.test(name) && name !== "figures.json").sort();
  for (const name of names) {
    hash.update(`${name}\n`);
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk);
  }
  return hash.digest("hex").slice(0, 16);
}

/** The commit of the working tree that this code lies in; undefined: an installed package, which has none. */
export function commitOf(): string | undefined {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}
