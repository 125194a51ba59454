/** Repositories of the model hub, brought into its cache as snapshots. */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, throwIfAborted } from "../base/index.ts";
import {
  cachedCommit,
  linkBlob,
  type RepositoryFolder,
  repositoryFolder,
  repositoryName,
  snapshotFiles,
  writeRef,
} from "./hub-cache.ts";
import { withLock } from "./hub-lock.ts";
import { describeFile, listFiles, type RemoteFile } from "./hub-request.ts";
import type { Hub } from "./hub-settings.ts";
import { bytesSoFar, type TransferOptions, transfer } from "./hub-transfer.ts";

export interface Wanted {
  /** "ORG/NAME". */
  repository: string;
  /** Branch, tag or commit. Default main. */
  revision?: string;
  /** Which of the files that are there; refuses by throwing when some are missing. */
  choose: (files: readonly string[]) => readonly string[];
}

export interface PullProgress {
  file: string;
  /** Bytes of everything asked for that are here, and of how many. */
  done: number;
  total: number;
}

export interface PullOptions extends Pick<TransferOptions, "signal" | "tries" | "pauseMs" | "patienceMs"> {
  onProgress?: (progress: PullProgress) => void;
  /** Another process downloads the same file; this one waits. */
  onWait?: (file: string) => void;
}

interface Planned {
  folder: RepositoryFolder;
  commit: string;
  path: string;
  remote: RemoteFile;
}

/**
 * Downloads what is missing of several repositories and gives their snapshot folders. Killed at any moment, the next call
 * goes on where it was. Errors: what the hub refuses, NO_SPACE before anything is downloaded, BAD_FILE for a wrong
 * checksum, ABORTED; offline NOT_FOUND for what is not in the cache.
 */
export async function pullRepositories(
  hub: Hub,
  wanted: readonly Wanted[],
  options: PullOptions = {},
): Promise<string[]> {
  const snapshots: string[] = [];
  const planned: Planned[] = [];
  const refs: (() => Promise<void>)[] = [];
  for (const { repository, revision = "main", choose } of wanted) {
    const folder = repositoryFolder(hub.cache, repositoryName(repository));
    if (hub.offline) {
      snapshots.push(cachedSnapshot(hub, repository, revision, choose));
      continue;
    }
    const { commit, files } = await listFiles(hub, repository, revision, options.signal);
    const there = new Set(snapshotFiles(folder.snapshot(commit)));
    for (const path of choose(files)) {
      throwIfAborted(options.signal);
      if (there.has(path)) continue;
      planned.push({ folder, commit, path, remote: await describeFile(hub, repository, commit, path, options.signal) });
    }
    snapshots.push(folder.snapshot(commit));
    refs.push(() => writeRef(folder, revision, commit));
  }
  await download(hub, planned, options);
  for (const write of refs) await write();
  return snapshots;
}

/** The snapshot that the cache holds. Errors: NOT_FOUND. */
export function cachedSnapshot(
  hub: Hub,
  repository: string,
  revision = "main",
  choose: Wanted["choose"] = (files) => files,
): string {
  const folder = repositoryFolder(hub.cache, repositoryName(repository));
  const commit = cachedCommit(folder, revision);
  const snapshot = commit && folder.snapshot(commit);
  const files = snapshot ? snapshotFiles(snapshot) : [];
  if (!snapshot || files.length === 0)
    return fail(`${repository} is not in the cache`, {
      where: hub.cache,
      code: "NOT_FOUND",
      hint: "Run fewstep pull with a network, without HF_HUB_OFFLINE.",
    });
  choose(files);
  return snapshot;
}

async function download(hub: Hub, planned: readonly Planned[], options: PullOptions): Promise<void> {
  const { onProgress, onWait, ...settings } = options;
  const total = planned.reduce((sum, { remote }) => sum + remote.bytes, 0);
  const here = planned.map(({ folder, remote }) => Math.min(remote.bytes, bytesSoFar(folder.blob(remote.hash))));
  await checkSpace(hub.cache, total - sum(here));
  for (const [i, { folder, commit, path, remote }] of planned.entries()) {
    const report = (bytes: number) => {
      here[i] = bytes;
      onProgress?.({ file: path, done: sum(here), total });
    };
    const blob = folder.blob(remote.hash);
    const bring = () => transfer(hub, remote, blob, { ...settings, onBytes: report });
    await withLock(folder.lock(remote.hash), bring, { signal: settings.signal, onWait: () => onWait?.(path) });
    await linkBlob(blob, join(folder.snapshot(commit), path));
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Refuses when the disk of `folder` has less room than that. */
export async function checkSpace(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free !== undefined && free < bytes)
    fail("the disk has too little room", {
      where: folder,
      code: "NO_SPACE",
      expected: `${gigabytes(bytes)} free`,
      got: gigabytes(free),
      hint: "Free some space, or set HF_HOME (downloads) or FEWSTEP_HOME (converted models) to another disk.",
    });
}

/** Free bytes of the disk on which a folder is or will be. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found) return found.bavail * found.bsize;
    if (dirname(at) === at) return undefined;
  }
}

/** "5.79 GB". */
export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 2)} GB`;
