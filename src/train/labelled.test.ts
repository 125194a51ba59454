import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadAtlas } from "../scenes/index.ts";
import { fashionSource, OBJECTS, objectSource } from "./labelled.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-fashion-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("scenes of one object with its class, the same for an index whatever comes with it", async () => {
  const source = objectSource({ atlas: await loadAtlas(), seed: 4, pixels: 64 });
  const all = source.pictures(0, 60, "train");
  expect(source.pictures(17, 1, "train")).toEqual([all[17]]);
  expect(source.pictures(17, 1, "heldout")[0].pixels).not.toEqual(all[17].pixels);
  for (const { objects, label, pixels } of all) {
    expect(objects).toHaveLength(1);
    const [{ x, y, size }] = objects!;
    expect(OBJECTS.sizes).toContain(size);
    expect([x % 8, y % 8, x + size <= 64, y + size <= 64]).toEqual([0, 0, true, true]);
    expect(source.classes[label]).toBe((objects![0] as unknown as { class: string }).class);
    expect(pixels.length).toBe(64 * 64 * 3);
  }
  expect(new Set(all.map(({ label }) => label)).size).toBeGreaterThan(30);
});

const idx = (shape: number[], data: number[]) => {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x800 + shape.length);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, Buffer.from(data)]);
};

test("grey pictures of a folder stand enlarged on black, in a new order each epoch", () => {
  for (const part of ["train", "t10k"]) {
    writeFileSync(join(folder, `${part}-images-idx3-ubyte`), idx([3, 2, 2], [10, 20, 30, 40, 1, 1, 1, 1, 2, 2, 2, 2]));
    writeFileSync(join(folder, `${part}-labels-idx1-ubyte`), idx([3], [7, 0, 9]));
  }
  const source = fashionSource(folder, { seed: 2, pixels: 6 });
  const many = source.pictures(0, 30, "train");
  const sneaker = many.find(({ label }) => source.classes[label] === "sneaker")!;
  // Two by two cells, three times as large: nothing is left over.
  expect([0, 3, 18 + 3, 21 + 2].map((i) => sneaker.pixels[(i % 6) * 3 + Math.floor(i / 6) * 18])).toEqual([
    10, 20, 40, 40,
  ]);
  const orders = Array.from({ length: 10 }, (_, epoch) =>
    many.slice(3 * epoch, 3 * epoch + 3).map(({ label }) => label),
  );
  for (const order of orders) expect([...order].sort()).toEqual([0, 7, 9]);
  expect(new Set(orders.map(String)).size).toBeGreaterThan(2);
  expect(source.pictures(7, 1, "train")).toEqual([many[7]]);
});
