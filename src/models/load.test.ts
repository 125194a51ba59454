/** Whole models: written, read strictly, refused when anything does not fit. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveTinyModel, tinyParts } from "../../test/tiny-model.ts";
import { f32, i64, type NdArray } from "../base/index.ts";
import { readSafetensors, writeSafetensors } from "../files/index.ts";
import { embeddedModels, loadNetworks, modelConfigOf, modelFolder, saveModel } from "./index.ts";
import { codebook, powers } from "./magvit/index.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-models-"));
const tiny = join(root, "tiny");
beforeAll(() => saveTinyModel(tiny));
afterAll(() => rmSync(root, { recursive: true }));

/** A copy of the tiny model in which one file is changed. */
let copies = 0;
function copy(): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(tiny, folder, { recursive: true });
  return folder;
}
const tensorsOf = (path: string): Record<string, NdArray> => {
  const file = readSafetensors(path);
  const tensors = Object.fromEntries(file.names.map((name) => [name, file.get(name)]));
  file.close();
  return tensors;
};
async function withTensors(file: string, change: (tensors: Record<string, NdArray>) => void): Promise<string> {
  const folder = copy();
  const tensors = tensorsOf(join(folder, file));
  change(tensors);
  await writeSafetensors(join(folder, file), tensors);
  return folder;
}
const load = (folder: string) => loadNetworks(folder, { host: "inline", threads: 1 });

test("a saved model loads, and its tokenizer gives a grid back as pixels", async () => {
  const progress: number[] = [];
  const model = await loadNetworks(tiny, {
    host: "inline",
    threads: 1,
    onProgress: ({ done, total }) => progress.push(done / total),
  });
  expect(model.config).toEqual(tinyParts().config);
  expect(progress.filter((share) => share === 1)).toHaveLength(2);
  const ids = await model.tokenizer.encode(f32([3, 32, 32], new Float32Array(3072).fill(0.25)));
  expect(ids).toHaveLength(16);
  expect((await model.tokenizer.decode(ids, 4, 4)).shape).toEqual([3, 32, 32]);
  expect((await model.tokenizer.decode(new Int32Array(24), 4, 6)).shape).toEqual([3, 32, 48]);
  await expect(model.tokenizer.decode(Int32Array.of(64), 1, 1)).rejects.toThrow(/expected ids from 0 to 63/);
  await model.dispose();
});

test("missing, unexpected and misshaped tensors are named in one message", async () => {
  const folder = await withTensors("showo.safetensors", (tensors) => {
    delete tensors["showo.lm_head.bias"];
    tensors["showo.extra"] = f32([2], [1, 2]);
    tensors["showo.model.final_layernorm.weight"] = f32([31], new Float32Array(31));
    tensors["showo.model.final_layernorm.bias"] = i64([32], new Array(32).fill(0));
  });
  await expect(load(folder)).rejects.toThrow(
    /showo\.safetensors: the weights do not fit.*1 missing: showo\.lm_head\.bias; 1 unexpected: showo\.extra; 2 of another shape: showo\.model\.final_layernorm\.weight \[31\] instead of \[32\], showo\.model\.final_layernorm\.bias \[32\] of integers/s,
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("%s in a tensor is refused by its name", async (value) => {
  const folder = await withTensors("magvit.safetensors", (tensors) => {
    tensors["encoder.conv_in.bias"] = f32([8], [0, 0, 0, value, 0, 0, 0, 0]);
  });
  await expect(load(folder)).rejects.toThrow(/"encoder\.conv_in\.bias" holds.*got +(NaN|Infinity) at element 3/s);
});

test("the constants of a published tokenizer are accepted when they are right", async () => {
  const good = await withTensors("magvit.safetensors", (tensors) => {
    tensors["quantize.embedding"] = f32([64, 6], codebook(6));
    tensors["quantize.power_vals"] = i64([6], powers(6));
  });
  await (await load(good)).dispose();
  const wrong = await withTensors("magvit.safetensors", (tensors) => {
    tensors["quantize.power_vals"] = i64([6], powers(6).reverse());
  });
  await expect(load(wrong)).rejects.toThrow(/constant "quantize\.power_vals"/);
});

test("damaged files are refused", async () => {
  const short = copy();
  truncateSync(join(short, "showo.safetensors"), 5000);
  await expect(load(short)).rejects.toMatchObject({ code: "BAD_FILE" });
  const claims = copy();
  const header = Buffer.from('{"a":{"dtype":"F32","shape":[250000000000],"data_offsets":[0,1000000000000]}}');
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(claims, "showo.safetensors"), Buffer.concat([size, header]));
  await expect(load(claims)).rejects.toThrow(/cut short/);
  const gone = copy();
  rmSync(join(gone, "magvit.safetensors"));
  await expect(load(gone)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("configurations that cannot be are refused, saying which setting", async () => {
  const { config } = tinyParts();
  const bad = (change: object) => () => modelConfigOf({ ...config, ...change }, "config.json");
  expect(bad({ showo: { ...config.showo, hiddenSize: 1e12 } })).toThrow(/config\.json, showo\.hiddenSize/);
  expect(bad({ showo: { ...config.showo, heads: 3 } })).toThrow(/heads share evenly/);
  expect(bad({ showo: { ...config.showo, imageTokens: 25 } })).toThrow(/as many imageTokens .*\(16\)/);
  expect(bad({ magvit: { ...config.magvit, bits: 7 } })).toThrow(/2\^7/);
  expect(bad({ defaults: { steps: 0, guidance: 1 } })).toThrow(/defaults\.steps/);
  const folder = copy();
  writeFileSync(join(folder, "config.json"), "{");
  await expect(load(folder)).rejects.toThrow(/not JSON/);
});

test("what could not be loaded is not saved", async () => {
  const parts = tinyParts();
  const folder = join(root, "refused");
  const showo = new Map([...parts.showo].slice(1));
  await expect(saveModel(folder, { ...parts, showo })).rejects.toThrow(/1 missing: showo\.model\.embed_tokens\.weight/);
  expect(() => readFileSync(join(folder, "config.json"))).toThrow(/ENOENT/);
});

test("names are looked up among the embedded models, then as folders", () => {
  expect(embeddedModels(root)).toContain("tiny");
  expect(modelFolder("tiny", root)).toBe(tiny);
  expect(modelFolder(tiny, root)).toBe(tiny);
  expect(() => modelFolder("tony", root)).toThrow(/there is no model "tony".*Did you mean tiny\?/s);
  expect(() => modelFolder("stable-diffusion", root)).toThrow(/Models of this installation/);
  expect(() => modelFolder(root, root)).toThrow(/not the folder of a model/);
});

test("the published layout is recognised; its sizes come from the presets", async () => {
  const showo = join(root, "published");
  mkdirSync(showo);
  const config = { _class_name: "Showo", vocab_size: 58498, llm_vocab_size: 50295, codebook_size: 8192 };
  const write = (rest: object) => writeFileSync(join(showo, "config.json"), JSON.stringify({ ...config, ...rest }));
  await writeSafetensors(join(showo, "pytorch_model.safetensors"), { "showo.lm_head.bias": f32([58498]) });
  write({ num_vq_tokens: 256, w_clip_vit: false });
  await expect(load(showo)).rejects.toThrow(/loadModel\(\{ showo, magvit, tokenizer \}\)/);
  const both = { showo, magvit: showo };
  await expect(loadNetworks(both)).rejects.toThrow(/the 437 tensors.*436 missing: showo\.model\.embed_tokens\.weight/s);
  write({ num_vq_tokens: 100 });
  await expect(loadNetworks(both)).rejects.toThrow(/num_vq_tokens 256 or 1024/);
  write({ num_vq_tokens: 256, w_clip_vit: true });
  await expect(loadNetworks(both)).rejects.toThrow(/w_clip_vit/);
});

test("loading stops when it is cancelled", async () => {
  const signal = AbortSignal.abort();
  await expect(loadNetworks(tiny, { signal })).rejects.toMatchObject({ code: "ABORTED" });
});
