import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { explain } from "./errno.ts";
import { writeAtomic, writeJson } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-atomic-"));
afterAll(() => rmSync(root, { recursive: true }));
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(root, "x"));
});

test("writes text, bytes and chunks, and replaces what was there", async () => {
  const path = join(folder, "a");
  await writeAtomic(path, "héllo");
  await writeAtomic(path, Uint8Array.of(104, 105));
  expect(readFileSync(path, "utf8")).toBe("hi");
  await writeAtomic(
    path,
    (async function* () {
      yield Buffer.from("one ");
      yield Buffer.alloc(0);
      yield Buffer.from("two");
    })(),
  );
  expect(readFileSync(path, "utf8")).toBe("one two");
  await writeJson(path, { a: [1] });
  expect(readFileSync(path, "utf8")).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("a failure half way leaves the old file and no temporary one", async () => {
  const path = join(folder, "a");
  writeFileSync(path, "old");
  function* chunks() {
    yield Buffer.from("new");
    expect(readdirSync(folder)).toHaveLength(2);
    throw new Error("the model broke");
  }
  await expect(writeAtomic(path, chunks())).rejects.toThrow("the model broke");
  expect(readdirSync(folder)).toEqual(["a"]);
  expect(readFileSync(path, "utf8")).toBe("old");
});

test("cancelling leaves nothing behind", async () => {
  const stop = new AbortController();
  function* chunks() {
    yield Buffer.from("new");
    stop.abort();
    yield Buffer.from("more");
  }
  await expect(writeAtomic(join(folder, "a"), chunks(), { signal: stop.signal })).rejects.toMatchObject({
    code: "ABORTED",
  });
  expect(readdirSync(folder)).toEqual([]);
});

test("many writers of one path do not mix", async () => {
  const path = join(folder, "a");
  await Promise.all(Array.from({ length: 20 }, (_, i) => writeAtomic(path, `${i % 10}`.repeat(5000))));
  expect(readFileSync(path, "utf8")).toMatch(/^(\d)\1{4999}$/);
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("what is wrong with the path is said", async () => {
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "sub"));
  const refused = (path: string) => expect(writeAtomic(path, "x")).rejects;
  await refused(join(folder, "none", "a")).toThrow(/the folder .*none does not exist\n.*\n.*mkdir -p/);
  await refused(join(folder, "file", "a")).toThrow(/file is not a folder/);
  await refused(join(folder, "sub")).toThrow(/sub: this is a folder/);
  await refused("/proc/fewstep/a").toMatchObject({ name: "FewstepError", code: "NOT_FOUND" });
  expect(readdirSync(folder).sort()).toEqual(["file", "sub"]);
});

test.runIf(process.platform === "linux")("a full disk says so", async () => {
  // Through a link, so that a broken writer replaces the link and not the device.
  const full = join(folder, "full");
  symlinkSync("/dev/full", full);
  await expect(writeAtomic(full, "x")).rejects.toThrow(/the disk is full\n.*ENOSPC\n.*Free some space/);
});

test("each error number has its own advice, others keep their message", () => {
  const said = (code: string, doing: "read" | "write") => {
    try {
      return explain(Object.assign(new Error("the cause"), { code }), "/data/a", doing);
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said("EROFS", "write")).toContain("the folder /data may not be written to");
  expect(said("EACCES", "write")).toContain("the folder /data may not be written to");
  expect(said("EDQUOT", "write")).toContain("the disk is full");
  expect(said("EACCES", "read")).toContain("/data/a: the file may not be read");
  expect(said("EIO", "read")).toBe("/data/a: cannot read this file: the cause");
});
