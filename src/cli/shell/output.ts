/** Where pictures go: names made from prompts, names that were asked for, never a file replaced without a word. */
import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fail } from "../../base/index.ts";
import { writeAtomic } from "../../files/index.ts";
import { formatOf, PICTURE_ENDINGS } from "../../tasks/index.ts";
import type { Io } from "./io.ts";

/** "a-red-car" of "A red car!", at most 48 letters; never a name that Windows keeps for itself. */
export function slug(text: string): string {
  const words =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    const longer = name ? `${name}-${word}` : word;
    if (longer.length > 48 && name) break;
    name = longer;
  }
  name = Array.from(name).slice(0, 48).join("");
  return name === "" || /^(con|prn|aux|nul|com\d|lpt\d)$/.test(name) ? `picture${name && `-${name}`}` : name;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The name itself, or with the first number behind it that is free. */
async function freeName(path: string, taken: readonly string[]): Promise<string> {
  const stem = path.slice(0, path.length - extname(path).length);
  for (let i = 1; ; i++) {
    const name = i === 1 ? path : `${stem}-${i}${extname(path)}`;
    if (!taken.includes(name) && !(await exists(name))) return name;
  }
}

/**
 * Paths for `count` pictures. Without `asked`, or with a folder, they are named by `text` and never replace a file; an
 * `asked` file is taken as it is, numbered when there are several. Errors: a folder that is missing or not writable, a
 * format that cannot be written.
 */
export async function outputPaths(
  asked: string | undefined,
  text: string,
  count: number,
  ending = ".png",
): Promise<string[]> {
  if (!(Number.isInteger(count) && count > 0 && count <= 1000))
    fail("bad number of pictures", { where: "n", expected: "a whole number from 1 to 1000", got: `${count}` });
  const folder = asked === undefined ? "." : /[\\/]$/.test(asked) || (await isFolder(asked)) ? asked : undefined;
  if (folder !== undefined) {
    await checkFolder(folder);
    const names: string[] = [];
    for (let i = 0; i < count; i++) names.push(await freeName(join(folder, slug(text) + ending), names));
    return names;
  }
  if (extname(asked!) === "")
    fail("neither a folder nor a picture", {
      where: asked,
      expected: `a name ending in ${PICTURE_ENDINGS}, or a folder that is there`,
    });
  formatOf(asked!);
  await checkFolder(dirname(asked!));
  const stem = asked!.slice(0, asked!.length - extname(asked!).length);
  return count === 1 ? [asked!] : Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${extname(asked!)}`);
}

/** Refuses a folder that nothing can be written to, before time is spent on what would go there. */
async function checkFolder(folder: string): Promise<void> {
  if (!(await isFolder(folder)))
    fail("the folder does not exist", { where: folder, code: "NOT_FOUND", hint: "Make it first, or write elsewhere." });
  await access(folder, constants.W_OK).catch((cause) =>
    fail("the folder may not be written to", { where: folder, code: "NO_SPACE", hint: "Write elsewhere.", cause }),
  );
}

/** Makes a folder of the program's own choice. */
export const makeFolder = (folder: string): Promise<unknown> =>
  mkdir(folder, { recursive: true }).catch((cause: Error) =>
    fail("the folder cannot be made", { where: folder, code: "NO_SPACE", got: cause.message, cause }),
  );

/** Writes a file whole or not at all, and says when it replaced another. Gives the full path. */
export async function writeOutput(path: string, bytes: Uint8Array, io: Io): Promise<string> {
  const replaced = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  await writeAtomic(path, bytes, { signal: io.signal });
  if (replaced) io.err(`fewstep: replaced ${basename(path)}\n`);
  return resolve(path);
}
