/** One owner at a time for a piece of work, across processes. Knows nothing of the work. */
import { mkdir, open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../base/index.ts";
import { explain } from "./errno.ts";

/** An owner shows every so often that it lives; one that has not for long is dead, wherever it ran. */
const HEARTBEAT_MS = 10_000;
const DEAD_AFTER_MS = 60_000;
const ASK_AGAIN_MS = 100;

/** Runs `work` while holding the file `path`, which is removed afterwards. A lock of a dead process is taken over. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { signal, onWait }: { signal?: AbortSignal; onWait?: () => void } = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true }).catch((error) => explain(error, path, "write"));
  const me = `${process.pid} ${hostname()}`;
  for (let told = false; !(await take(path, me)); ) {
    throwIfAborted(signal);
    const owner = await ownerOf(path);
    if (owner === undefined) continue;
    if (isDead(owner)) {
      await rm(path, { force: true });
      continue;
    }
    if (!told) onWait?.();
    told = true;
    await sleep(ASK_AGAIN_MS);
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), HEARTBEAT_MS);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(path, { force: true });
  }
}

async function take(path: string, me: string): Promise<boolean> {
  const file = await open(path, "wx").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    return explain(error, path, "write");
  });
  if (!file) return false;
  await file.writeFile(me);
  await file.close();
  return true;
}

interface Owner {
  text: string;
  seen: number;
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    return { text: await readFile(path, "utf8"), seen: (await stat(path)).mtimeMs };
  } catch {
    return undefined; // just released
  }
}

function isDead({ text, seen }: Owner): boolean {
  const [pid, host] = text.split(" ");
  if (Date.now() - seen > DEAD_AFTER_MS) return true;
  if (host !== hostname() || !/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
