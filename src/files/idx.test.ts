import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { parseIdx, readIdxFolder } from "./idx.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-idx-"));
afterAll(() => rmSync(folder, { recursive: true }));

const idx = (shape: number[], data: number[]) => {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x800 + shape.length);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, Buffer.from(data)]);
};

test("pictures with their labels, packed or not", () => {
  writeFileSync(join(folder, "train-images-idx3-ubyte.gz"), gzipSync(idx([2, 1, 3], [1, 2, 3, 4, 5, 6])));
  writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx([2], [9, 0]));
  const read = readIdxFolder(folder, "train");
  expect(read).toMatchObject({ count: 2, height: 1, width: 3 });
  expect([...read.images]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...read.labels]).toEqual([9, 0]);
});

test("files that are not what they should be", () => {
  expect(() => readIdxFolder(folder, "t10k")).toThrow("t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz");
  writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx([1], [9]));
  expect(() => readIdxFolder(folder, "train")).toThrow("not as many labels");
  writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx([2], [9, 10]));
  expect(() => readIdxFolder(folder, "train")).toThrow(/0 to 9[\s\S]*10/);
  writeFileSync(join(folder, "train-labels-idx1-ubyte"), Buffer.from([0x1f, 0x8b, 8, 0, 0]));
  expect(() => readIdxFolder(folder, "train")).toThrow("cannot be unpacked");
  expect(() => parseIdx(idx([2, 2], [1, 2, 3]), "x")).toThrow(/x: the file does not fill its sizes\n.*4 bytes/);
  expect(() => parseIdx(Buffer.from([0, 0, 9, 1]), "x")).toThrow("no idx file");
  expect(() => parseIdx(Buffer.from([0, 0, 8, 2, 0]), "x")).toThrow("cut short");
});
