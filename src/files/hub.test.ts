/** Downloads from a hub that speaks the protocol, behaves badly, lies and dies. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { gitSha1, type HubServer, sha256, startHub } from "../../test/hub-server.ts";
import { Rng } from "../base/index.ts";
import { pullRepositories, type Wanted } from "./hub.ts";
import { cachedRepositories, linkBlob, removeRepository, repositoryFolder, snapshotFiles } from "./hub-cache.ts";
import { withLock } from "./hub-lock.ts";
import { type Hub, hubFrom } from "./hub-settings.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-hub-"));
afterAll(() => rmSync(root, { recursive: true }));

const rng = new Rng(5);
const weights = Uint8Array.from({ length: 300_000 }, () => rng.int(256));
const config = Buffer.from('{"_class_name": "Showo"}\n');
const REPOSITORY = "lab/model";

let server: HubServer;
let hub: Hub;
beforeEach(async () => {
  server = await startHub({
    [REPOSITORY]: { files: { "config.json": config, "sub/weights.bin": weights }, large: ["sub/weights.bin"] },
  });
  hub = { endpoint: server.endpoint, cache: mkdtempSync(join(root, "cache-")), token: "secret", offline: false };
});
afterEach(() => server.close());

const all: Wanted = { repository: REPOSITORY, choose: (files) => files };
const quick = { pauseMs: 1, tries: 3 };
const pull = (options = {}) => pullRepositories(hub, [all], { ...quick, ...options });
const transfers = () => server.log.filter((line) => line.startsWith("store GET"));
const blob = () => repositoryFolder(hub.cache, REPOSITORY).blob(sha256(weights));

test("files arrive in the published layout, and a second pull transfers nothing", async () => {
  const seen: number[] = [];
  const [snapshot] = await pull({
    onProgress: ({ done, total }: { done: number; total: number }) => seen.push(done / total),
  });
  expect(readFileSync(join(snapshot, "config.json"))).toEqual(config);
  expect(readFileSync(join(snapshot, "sub/weights.bin")).equals(weights)).toBe(true);
  expect(readlinkSync(join(snapshot, "config.json"))).toBe(`../../blobs/${gitSha1(config)}`);
  expect(readlinkSync(join(snapshot, "sub/weights.bin"))).toBe(`../../../blobs/${sha256(weights)}`);
  const folder = repositoryFolder(hub.cache, REPOSITORY).root;
  expect(folder).toBe(join(hub.cache, "models--lab--model"));
  expect(snapshot).toBe(join(folder, "snapshots", readFileSync(join(folder, "refs/main"), "utf8")));
  expect(seen.at(-1)).toBe(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  const before = server.log.length;
  await pull();
  expect(server.log.slice(before).map((line) => line.split(" ")[2])).toEqual([
    `/api/models/${REPOSITORY}/revision/main`,
  ]);
});

test("the token goes to the hub and never to where large files are stored", async () => {
  server.repositories[REPOSITORY].token = "secret";
  await pull();
  expect(server.log.filter((line) => line.startsWith("hub")).every((line) => line.endsWith("Bearer secret"))).toBe(
    true,
  );
  expect(transfers()).toEqual([`store GET /${REPOSITORY}/sub/weights.bin - -`]);
  await expect(pullRepositories({ ...hub, token: "other" }, [all], quick)).rejects.toThrow(/HTTP 401.*HF_TOKEN/s);
});

test("a broken transfer goes on from its last byte", async () => {
  server.repositories[REPOSITORY].files = { "sub/weights.bin": weights };
  server.faults.push({ kind: "cut", after: 100_000 }, { kind: "cut", after: 50_000 });
  const [snapshot] = await pull();
  expect(readFileSync(join(snapshot, "sub/weights.bin")).equals(weights)).toBe(true);
  const ranges = transfers().map((line) => line.split(" ")[3]);
  expect(ranges).toHaveLength(3);
  expect(ranges[0]).toBe("-");
  const [second, third] = ranges.slice(1).map((range) => Number(/bytes=(\d+)-/.exec(range)?.[1]));
  expect(second).toBeGreaterThan(0);
  expect(third).toBeGreaterThan(second);
});

test("a later call goes on with what an earlier one left", async () => {
  await pull();
  const before = transfers().length;
  rmSync(repositoryFolder(hub.cache, REPOSITORY).root, { recursive: true });
  server.faults.push({ kind: "whole" }, ...Array.from({ length: 3 }, () => ({ kind: "cut", after: 7000 }) as const));
  const { signal, abort } = abortAfter(9000);
  await expect(pull({ ...signal, onProgress: abort })).rejects.toMatchObject({ code: "ABORTED" });
  expect(existsSync(blob())).toBe(false);
  const left = readFileSync(`${blob()}.incomplete`);
  expect(left.equals(weights.subarray(0, left.length))).toBe(true);
  server.faults.length = 0;
  const [snapshot] = await pull();
  expect(readFileSync(join(snapshot, "sub/weights.bin")).equals(weights)).toBe(true);
  expect(transfers().slice(before).at(-1)).toContain(`bytes=${left.length}-`);
});

function abortAfter(bytes: number) {
  const controller = new AbortController();
  const abort = ({ done }: { done: number }) => {
    if (done > bytes) controller.abort();
  };
  return { signal: { signal: controller.signal }, abort };
}

test("a server that ignores ranges costs a new start and nothing else", async () => {
  server.repositories[REPOSITORY].files = { "sub/weights.bin": weights };
  server.faults.push({ kind: "cut", after: 100_000 }, { kind: "whole" });
  const [snapshot] = await pull();
  expect(readFileSync(join(snapshot, "sub/weights.bin")).equals(weights)).toBe(true);
});

test("wrong bytes are fetched anew once, then refused, and leave nothing behind", async () => {
  server.repositories[REPOSITORY].files = { "sub/weights.bin": weights };
  server.faults.push({ kind: "wrong" });
  await pull();
  expect(transfers()).toHaveLength(2);
  rmSync(hub.cache, { recursive: true });
  server.faults.push({ kind: "wrong" }, { kind: "wrong" });
  await expect(pull()).rejects.toThrow(new RegExp(`arrived damaged.*checksum ${sha256(weights)}`, "s"));
  expect(readdirSync(join(hub.cache, "models--lab--model/blobs"))).toEqual([]);
  expect(existsSync(join(hub.cache, "models--lab--model/refs"))).toBe(false);
});

test("what an earlier program left damaged is noticed", async () => {
  await pull();
  rmSync(blob());
  rmSync(join(hub.cache, "models--lab--model/snapshots"), { recursive: true });
  writeFileSync(`${blob()}.incomplete`, new Uint8Array(200_000));
  const [snapshot] = await pull();
  expect(readFileSync(join(snapshot, "sub/weights.bin")).equals(weights)).toBe(true);
  writeFileSync(`${blob()}.incomplete`, new Uint8Array(400_000)); // longer than the file
  rmSync(blob());
  await pull();
  expect(readFileSync(blob()).equals(weights)).toBe(true);
});

test("a server that dies, answers with errors or falls silent is asked a few times", async () => {
  server.repositories[REPOSITORY].files = { "sub/weights.bin": weights };
  server.faults.push({ kind: "status", status: 503 }, { kind: "status", status: 500 });
  await pull();
  rmSync(hub.cache, { recursive: true });
  server.faults.push(...Array.from({ length: 3 }, () => ({ kind: "status", status: 503 }) as const));
  await expect(pull()).rejects.toThrow(/HTTP 503.*what was downloaded is kept/s);
  server.faults.push({ kind: "silent" });
  await pull({ patienceMs: 400 });
  await server.close();
  await expect(pull()).rejects.toThrow(/cannot be reached.*HF_HUB_OFFLINE/s);
});

test("a repository that moved is found, one that is not there is named", async () => {
  server.repositories["old/name"] = { files: {}, movedTo: REPOSITORY };
  const [snapshot] = await pullRepositories(hub, [{ ...all, repository: "old/name" }], quick);
  expect(readFileSync(join(snapshot, "config.json"))).toEqual(config);
  await expect(pullRepositories(hub, [{ ...all, repository: "no/such" }], quick)).rejects.toThrow(
    /no\/such.*HTTP 404/s,
  );
});

test("offline, only what is in the cache", async () => {
  const offline = { ...hub, offline: true };
  await expect(pullRepositories(offline, [all])).rejects.toMatchObject({ code: "NOT_FOUND" });
  const [snapshot] = await pull();
  await server.close();
  expect(await pullRepositories(offline, [all])).toEqual([snapshot]);
});

test("names that would leave the cache are refused", async () => {
  for (const repository of ["../x", "a/..", "a/b/c", "a--b/c", "", "a/b\0"])
    await expect(pullRepositories(hub, [{ ...all, repository }])).rejects.toThrow(/no name of a repository/);
  for (const path of ["../../evil", "/etc/x", "a//b", "c:\\x"]) {
    server.repositories[REPOSITORY].files = { [path]: config };
    await expect(pull()).rejects.toThrow(/may not be written/);
  }
});

test("two downloads of one file at once transfer it once", async () => {
  const waited: string[] = [];
  await Promise.all([
    pull({ onWait: (file: string) => waited.push(file) }),
    pull({ onWait: (file: string) => waited.push(file) }),
  ]);
  expect(transfers()).toHaveLength(1);
  expect(waited.length).toBeGreaterThan(0);
});

test("the lock of a process that died is taken over", async () => {
  const path = join(hub.cache, "x.owner");
  const dead = spawnSync(process.execPath, ["-e", "console.log(process.pid, require('os').hostname())"]);
  writeFileSync(path, dead.stdout.toString().trim());
  expect(await withLock(path, async () => existsSync(path))).toBe(true);
  expect(existsSync(path)).toBe(false);
});

test("where links are not allowed the file itself is in the snapshot", async () => {
  const folder = mkdtempSync(join(root, "links-"));
  writeFileSync(join(folder, "blob"), "x");
  const noLinks = () => Promise.reject(Object.assign(new Error("no"), { code: "EPERM" }));
  await linkBlob(join(folder, "blob"), join(folder, "snapshots/c/file"), noLinks);
  expect(snapshotFiles(join(folder, "snapshots/c"))).toEqual(["file"]);
  expect(existsSync(join(folder, "blob"))).toBe(false);
});

test("the cache is listed and repositories are removed", async () => {
  await pull();
  expect(cachedRepositories(hub.cache)).toMatchObject([
    { repository: REPOSITORY, bytes: config.length + weights.length + 40, revisions: ["main"] },
  ]);
  expect(await removeRepository(hub.cache, REPOSITORY)).toBe(true);
  expect(await removeRepository(hub.cache, REPOSITORY)).toBe(false);
  expect(cachedRepositories(hub.cache)).toEqual([]);
});

test("the environment says where hub and cache are", () => {
  expect(hubFrom({ HF_HOME: "/h", HF_ENDPOINT: "http://mirror/", HF_TOKEN: "t", HF_HUB_OFFLINE: "1" })).toEqual({
    endpoint: "http://mirror",
    cache: "/h/hub",
    token: "t",
    offline: true,
  });
  expect(hubFrom({ HF_HOME: "/h", HF_HUB_CACHE: "/c" }).cache).toBe("/c");
  expect(hubFrom({ XDG_CACHE_HOME: "/x" }).cache).toBe("/x/huggingface/hub");
  const home = mkdtempSync(join(root, "home-"));
  writeFileSync(join(home, "token"), "from-file\n");
  expect(hubFrom({ HF_HOME: home })).toMatchObject({ token: "from-file", offline: false });
  expect(() => hubFrom({ HF_ENDPOINT: "mirror" })).toThrow(/HF_ENDPOINT/);
});
