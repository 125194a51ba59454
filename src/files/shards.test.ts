import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32 } from "../base/index.ts";
import { readWeights, writeJson, writeSafetensors } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "fewstep-shards-"));
afterAll(() => rmSync(folder, { recursive: true }));
const index = join(folder, "model.safetensors.index.json");

test("shards read as one file", async () => {
  await writeSafetensors(join(folder, "1.safetensors"), { a: f32([1], [1]), b: f32([1], [2]) });
  await writeSafetensors(join(folder, "2.safetensors"), { c: f32([1], [3]) });
  await writeJson(index, { weight_map: { c: "2.safetensors", a: "1.safetensors", b: "1.safetensors" } });
  const weights = readWeights(index);
  expect(weights.names).toEqual(["c", "a", "b"]);
  expect(weights.names.map((name) => weights.float32(name).data[0])).toEqual([3, 1, 2]);
  expect(() => weights.get("d")).toThrow('no tensor "d"');
  weights.close();
  expect(() => weights.get("a")).toThrow("closed");
  expect(readWeights(join(folder, "2.safetensors")).has("c")).toBe(true);
});

test("an index that lies is refused", async () => {
  const refused = async (value: unknown) => {
    await writeJson(index, value);
    return expect(() => readWeights(index));
  };
  (await refused({ weight_map: { a: "2.safetensors" } })).toThrow('2.safetensors lacks the tensor "a"');
  (await refused({ weight_map: { a: "none.safetensors" } })).toThrow("there is no such file");
  (await refused({ weight_map: { a: "../2.safetensors" } })).toThrow('the file "../2.safetensors"');
  (await refused({ weight_map: { a: ".." } })).toThrow('the file ".."');
  (await refused({ weight_map: [] })).toThrow("no weight_map");
  (await refused(null)).toThrow("no weight_map");
  writeFileSync(index, "{");
  expect(() => readWeights(index)).toThrow("no JSON");
});
