/** Rows of a tensor, read alone and across shards, and files whose tensors are made piece by piece. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, nd } from "../base/index.ts";
import { writeAtomic } from "./atomic.ts";
import { encodeTensors, writeSafetensors } from "./safetensors-write.ts";
import { readWeights } from "./shards.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-rows-"));
afterAll(() => rmSync(root, { recursive: true }));
const path = join(root, "a.safetensors");

test("rows are those of the whole tensor, widened", async () => {
  await writeSafetensors(path, {
    x: f32([3, 2], [1, 2, 3, 4, 5, 6]),
    h: nd("float16", [2], Uint16Array.of(0x3c00, 0x4000)),
  });
  const file = readWeights(path);
  expect(file.rows("x", 1, 3)).toMatchObject({ shape: [2, 2], data: Float32Array.of(3, 4, 5, 6) });
  expect(file.rows("x", 3, 3).shape).toEqual([0, 2]);
  expect([...file.rows("h", 1, 2).data]).toEqual([2]);
  expect(() => file.rows("x", 2, 4)).toThrow(/rows within 0 to 3.*2 to 4/s);
  expect(() => file.rows("x", -1, 1)).toThrow(/no such rows/);
  file.close();
  const index = join(root, "all.safetensors.index.json");
  writeFileSync(index, JSON.stringify({ weight_map: { x: "a.safetensors" } }));
  const shards = readWeights(index);
  expect([...shards.rows("x", 0, 1).data]).toEqual([1, 2]);
  shards.close();
});

test("tensors made in pieces give the file of whole ones; pieces that do not fill them are noticed", async () => {
  const other = join(root, "b.safetensors");
  const entries = [{ name: "x", dtype: "float32" as const, shape: [3, 2] }];
  const pieces = () => [f32([2], [1, 2]), f32([4], [3, 4, 5, 6])];
  await writeAtomic(other, encodeTensors(entries, pieces, { format: "pt" }));
  const file = readWeights(other);
  expect(file.metadata).toEqual({ format: "pt" });
  expect([...file.float32("x").data]).toEqual([1, 2, 3, 4, 5, 6]);
  file.close();
  const short = encodeTensors(entries, () => [f32([2], [1, 2])]);
  expect(() => [...short]).toThrow(/was given 2 numbers/);
});
