/** Adapters against sums done by hand, and what is no adapter. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, type NdArray } from "../base/index.ts";
import { readLora, withLora } from "./lora.ts";
import { readSafetensors } from "./safetensors.ts";
import { writeSafetensors } from "./safetensors-write.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-lora-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
async function adapter(tensors: Record<string, NdArray>, settings: object = { r: 1, lora_alpha: 2 }): Promise<string> {
  const folder = join(root, `adapter-${count++}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(settings));
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensors);
  return folder;
}
const A = "base_model.model.model.layers.0.q_proj.lora_A.weight";
const B = "base_model.model.model.layers.0.q_proj.lora_B.weight";
const pair = { [A]: f32([1, 3], [1, 2, 3]), [B]: f32([2, 1], [10, -1]) };

async function weights() {
  const path = join(root, "weights.safetensors");
  await writeSafetensors(path, {
    "showo.model.layers.0.q_proj.weight": f32([2, 3], [1, 1, 1, 0, 0, 0]),
    "showo.other.weight": f32([1], [5]),
  });
  return readSafetensors(path);
}

test("W + alpha / rank * B A, whole and by rows; other tensors as they are", async () => {
  const merged = withLora(await weights(), readLora(await adapter(pair)));
  const name = "showo.model.layers.0.q_proj.weight";
  expect([...merged.float32(name).data]).toEqual([21, 41, 61, -2, -4, -6]);
  expect([...merged.rows(name, 1, 2).data]).toEqual([-2, -4, -6]);
  expect([...(merged.get("showo.other.weight").data as Float32Array)]).toEqual([5]);
  merged.close();
});

test("rank-stabilised adapters divide by the root of the rank", async () => {
  const tensors = { [A]: f32([4, 3], new Array(12).fill(1)), [B]: f32([2, 4], new Array(8).fill(1)) };
  const path = await adapter(tensors, { lora_alpha: 2, use_rslora: true });
  const merged = withLora(await weights(), readLora(path));
  expect([...merged.float32("showo.model.layers.0.q_proj.weight").data]).toEqual([5, 5, 5, 4, 4, 4]);
});

test("what cannot be merged is refused by name", async () => {
  const read = async (tensors: Record<string, NdArray>, settings?: object) =>
    readLora(await adapter(tensors, settings));
  await expect(read({ ...pair, "x.bias": f32([1], [1]) })).rejects.toThrow(/got +"x\.bias"/);
  await expect(read({ [A]: pair[A] })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(read({ ...pair, [B]: f32([2, 2], [1, 2, 3, 4]) })).rejects.toThrow(/\[out, 1\].*\[2,2\]/s);
  await expect(read(pair, {})).rejects.toThrow(/lora_alpha/);
  await expect(read(pair, { lora_alpha: 1, use_dora: true })).rejects.toThrow(/use_dora/);
  expect(() => readLora(join(root, "none"))).toThrow(/adapter_config/);
  const other = { [A.replace("q_proj", "z")]: pair[A], [B.replace("q_proj", "z")]: pair[B] };
  const state = await weights();
  expect(() => withLora(state, readLoraSync)).toThrow(/which the weights do not have/);
  const wide = { [A]: f32([1, 4], [1, 2, 3, 4]), [B]: pair[B] };
  const lora = await read(wide);
  expect(() => withLora(state, lora)).toThrow(/another size.*\[2,3\].*\[2,4\]/s);
  const unknown = await read(other);
  expect(() => withLora(state, unknown)).toThrow(/"model\.layers\.0\.z"/);
});
const readLoraSync = {
  path: "memory",
  pairs: new Map([["nowhere", { up: f32([1, 1]), down: f32([1, 1]), scale: 1 }]]),
};
