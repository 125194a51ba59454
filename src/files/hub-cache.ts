/**
 * The cache of the model hub on disk, in the layout that its own tools publish: `models--ORG--NAME` with `blobs/HASH`,
 * `refs/REVISION` and `snapshots/COMMIT/PATH`, which are links to blobs. Knows nothing of the network.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fail } from "../base/index.ts";
import { writeAtomic } from "./atomic.ts";

/** "ORG/NAME", checked: it becomes the name of a folder. */
export function repositoryName(text: string): string {
  const part = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?$/;
  const parts = text.split("/");
  if (parts.length !== 2 || !parts.every((name) => part.test(name)) || /--|\.\./.test(text))
    fail("this is no name of a repository", { expected: "OWNER/NAME", got: JSON.stringify(text.slice(0, 200)) });
  return text;
}

/** A path that a server named, checked: it must stay inside a snapshot. */
export function insideSnapshot(path: string): string {
  const parts = path.split("/");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is refused.
  if (parts.some((name) => name === "" || name === "." || name === "..") || /[\\:\x00-\x1f]/.test(path))
    fail("the hub names a file that may not be written", { code: "BAD_FILE", got: JSON.stringify(path.slice(0, 200)) });
  return path;
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

export interface RepositoryFolder {
  readonly root: string;
  blob(hash: string): string;
  snapshot(commit: string): string;
  /** Where the owner of a download says that it is at work. */
  lock(hash: string): string;
}

export function repositoryFolder(cache: string, repository: string): RepositoryFolder {
  const name = `models--${repositoryName(repository).replace("/", "--")}`;
  const root = join(cache, name);
  return {
    root,
    blob: (hash) => join(root, "blobs", hash),
    snapshot: (commit) => join(root, "snapshots", commit),
    lock: (hash) => join(cache, ".locks", name, `${hash}.owner`),
  };
}

/** The commit that a branch, tag or commit stood for when it was last downloaded. */
export function cachedCommit({ root }: RepositoryFolder, revision: string): string | undefined {
  if (isCommit(revision)) return revision;
  try {
    const commit = readFileSync(join(root, "refs", insideSnapshot(revision)), "utf8").trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers which commit a branch or tag stands for. */
export async function writeRef({ root }: RepositoryFolder, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  const path = join(root, "refs", insideSnapshot(revision));
  await mkdir(dirname(path), { recursive: true });
  await writeAtomic(path, commit);
}

/** Files of a snapshot that are there in full, as paths from it. */
export function snapshotFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => statSync(join(folder, path), { throwIfNoEntry: false })?.isFile())
    .sort();
}

/** Makes `path` of a snapshot stand for a blob; where links are not allowed the blob itself moves there. */
export async function linkBlob(blob: string, path: string, link: typeof symlink = symlink): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await link(relative(dirname(path), blob), path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPERM" && error.code !== "ENOSYS" && error.code !== "ENOTSUP") throw error;
    await rename(blob, path);
  });
}

export interface CachedRepository {
  repository: string;
  folder: string;
  /** Bytes on disk, unfinished downloads included. */
  bytes: number;
  /** Branches and tags that were downloaded. */
  revisions: string[];
}

/** What the cache holds. */
export function cachedRepositories(cache: string): CachedRepository[] {
  if (!existsSync(cache)) return [];
  return readdirSync(cache)
    .filter((name) => /^models--[^-].*--/.test(name))
    .sort()
    .map((name) => {
      const folder = join(cache, name);
      const refs = join(folder, "refs");
      return {
        repository: name.slice("models--".length).replace("--", "/"),
        folder,
        bytes: bytesIn(folder),
        revisions: existsSync(refs) ? (readdirSync(refs, { recursive: true }) as string[]).sort() : [],
      };
    });
}

/** Bytes of all files in a folder; links count nothing. */
export function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  const sizes = (readdirSync(folder, { recursive: true }) as string[]).map((path) => {
    const found = lstatSync(join(folder, path), { throwIfNoEntry: false });
    return found?.isFile() ? found.size : 0;
  });
  return sizes.reduce((a, b) => a + b, 0);
}

/** Removes a repository from the cache; false if it was not there. */
export async function removeRepository(cache: string, repository: string): Promise<boolean> {
  const folder = repositoryFolder(cache, repository);
  if (!existsSync(folder.root)) return false;
  await rm(folder.root, { recursive: true });
  await rm(dirname(folder.lock("x")), { recursive: true, force: true });
  return true;
}
