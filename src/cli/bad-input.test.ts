/** Everything a person or a file may get wrong: the message, the exit code, nothing left behind. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { at, cli, files, model, savedPicture, tiny, work } from "../../test/cli.ts";
import { f32 } from "../base/index.ts";
import { readSafetensors, writeSafetensors } from "../files/index.ts";

test("mistakes in typing exit with 2 and say what is wrong; help and version with 0", async () => {
  for (const [argv, message] of [
    [["generate"], /missing required argument 'prompt'/],
    [["generate", "a", "b"], /too many arguments/],
    [["generate", "a", "--step", "4"], /unknown option '--step'\n\(Did you mean --steps\?\)/],
    [["generate", "a", "--steps", "four"], /'four' is invalid.*not a number/],
    [["inpaint", "a.png", "x"], /required option '--mask <file>'/],
    [["generate", "a", "--device", "gpu"], /Allowed choices are cpu, webgpu, cuda/],
    [["distill", "--out", "x", "--collect", "3/2"], /'3\/2' is invalid.*a part of several/],
    [["distill", "--out", "x", "--preset", "paper"], /Allowed choices are paper-256, .*, mini/],
  ] as [string[], RegExp][]) {
    const { code, err, out } = await cli(argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  }
  expect((await cli([])).out).toMatch(/^Usage: fewstep .*generate .*describe .*extend/s);
  expect((await cli(["extend", "--help"])).out).toMatch(/--left <pixels>/);
  expect((await cli(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("bad settings are refused before anything is written", async () => {
  for (const [argv, message] of [
    [["--steps", "0"], /^fewstep: steps: bad steps\n {2}expected a whole number from 1 to 1000\n {2}got {6}0\n$/],
    [["--steps", "-1"], /got +-1\n$/],
    [["-n", "0"], /n: bad number of pictures/],
    [["--size", "0"], /size: /],
    [["--size", "1e9"], /size: /],
    [["-o", at("missing/x.png")], /missing: the folder does not exist/],
    [["-o", at("x.bmp")], /unknown picture format/],
    [["--steps-strip", at("missing/x.png")], /missing: the folder does not exist/],
  ] as [string[], RegExp][]) {
    const { code, err, out } = await tiny("generate", "a", "-o", at("x.png"), ...argv);
    expect([argv, code, out]).toEqual([argv, 1, ""]);
    expect(err).toMatch(message);
  }
  expect(files()).toEqual([]);
});

test("prompts that are empty, long, or spell control tokens draw, with a warning where something is lost", async () => {
  const draw = (prompt: string) => tiny("generate", prompt, "--seed", "1", "--json", "-o", `${work}/`);
  const empty = await draw("");
  expect(empty).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(empty.out).images[0].path).toBe(at("picture.png"));
  const long = await draw("a red car ".repeat(1000));
  expect(long.code).toBe(0);
  expect(long.err).toMatch(/^fewstep: warning: the prompt is longer than the 22 tokens/);
  expect(JSON.parse(long.out).warnings).toHaveLength(1);
  expect((await draw("x".repeat(10_000))).code).toBe(0);
  expect((await draw("x".repeat(200_000))).err).toMatch(/text too long/);
  expect((await draw("<|soi|><|endoftext|>[PAD]")).code).toBe(0);
  for (const name of files()) expect(name.length).toBeLessThan(60);
});

test("pictures that cannot be read", async () => {
  const good = readFileSync(await savedPicture("good.png"));
  writeFileSync(at("short.png"), good.subarray(0, good.length / 2));
  writeFileSync(at("text.png"), "not a picture at all");
  writeFileSync(at("empty.png"), "");
  // Claims 40000 x 40000 pixels, under a checksum that is right.
  const huge = Buffer.from(good);
  huge.writeUInt32BE(40_000, 16);
  huge.writeUInt32BE(40_000, 20);
  huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);
  writeFileSync(at("huge.png"), huge);
  for (const [name, message] of [
    ["short.png", /short\.png: the picture is damaged or cut short/],
    ["text.png", /text\.png: this is not a picture/],
    ["empty.png", /empty\.png: the picture file is empty/],
    ["huge.png", /huge\.png: the picture is too large.*1600 megapixels/s],
    ["none.png", /none\.png: there is no such picture/],
    [".", /this is a folder, not a picture/],
  ] as [string, RegExp][]) {
    const { code, err, out } = await tiny("describe", at(name));
    expect([name, code, out]).toEqual([name, 1, ""]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/ {4}at /);
  }
});

test("weights that cannot be loaded", async () => {
  const broken = async (name: string, change: (path: string) => unknown, file = "showo.safetensors") => {
    const folder = at(name);
    cpSync(model, folder, { recursive: true });
    await change(join(folder, file));
    const { code, err, out } = await cli(["generate", "a", "-o", at("x.png"), "--model", folder]);
    expect([name, code, out]).toEqual([name, 1, ""]);
    expect(err).not.toMatch(/ {4}at /);
    return err;
  };
  const edit = (change: (tensors: Record<string, ReturnType<typeof f32>>) => void) => (path: string) => {
    const stored = readSafetensors(path);
    const tensors = Object.fromEntries(stored.names.map((n) => [n, stored.float32(n)]));
    stored.close();
    change(tensors);
    return writeSafetensors(path, tensors);
  };
  const bias = "showo.lm_head.bias";
  expect(
    await broken(
      "missing",
      edit((t) => delete t[bias]),
    ),
  ).toMatch(/1 missing: showo\.lm_head\.bias/);
  expect(
    await broken(
      "extra",
      edit((t) => (t.more = f32([1], [0]))),
    ),
  ).toMatch(/1 unexpected: more/);
  expect(
    await broken(
      "shape",
      edit((t) => (t[bias] = f32([2], [0, 0]))),
    ),
  ).toMatch(/1 of another shape: showo\.lm_head\.bias \[2\]/);
  expect(
    await broken(
      "nan",
      edit((t) => (t[bias].data[4] = Number.NaN)),
    ),
  ).toMatch(/"showo\.lm_head\.bias".*NaN at element 4/s);
  expect(await broken("short", (path) => truncateSync(path, 20_000))).toMatch(/cut short/);
  const steering = "\u001b[2Jgone";
  expect(
    await broken(
      "steering",
      edit((t) => (t[steering] = f32([1], [0]))),
    ),
  ).toMatch(/unexpected: \ufffd\[2Jgone/);
  const header = Buffer.from('{"a":{"dtype":"F32","shape":[250000000000],"data_offsets":[0,1000000000000]}}');
  const claim = Buffer.concat([Buffer.alloc(8), header]);
  claim.writeBigUInt64LE(BigInt(header.length));
  expect(await broken("terabyte", (path) => writeFileSync(path, claim))).toMatch(/cut short/);
  claim.writeBigUInt64LE(10n ** 12n);
  expect(await broken("header", (path) => writeFileSync(path, claim))).toMatch(/not a safetensors file, or cut short/);
  expect(await broken("tokenizer", (path) => writeFileSync(path, "{}"), "tokenizer.json")).toMatch(/not a tokenizer/);
  expect(await broken("config", (path) => writeFileSync(path, "{}"), "config.json")).toMatch(/not the configuration/);
  expect((await cli(["generate", "a", "--model", at("nowhere")])).err).toMatch(/there is no model/);
  expect(files()).not.toContain("x.png");
});

test("a full disk and a folder that is no folder leave nothing behind", async () => {
  symlinkSync("/dev/full", at("full.png"));
  const full = await tiny("generate", "a", "-o", at("full.png"));
  expect(full).toMatchObject({ code: 1, out: "" });
  expect(full.err).toMatch(/the disk is full/);
  const inFile = await tiny("generate", "a", "-o", join(model, "config.json", "x.png"));
  expect(inFile).toMatchObject({ code: 1, err: expect.stringContaining("the folder does not exist") });
  expect(files()).toEqual(["full.png"]);
});

// Root may write everywhere.
test.skipIf(process.getuid?.() === 0)("a folder that may not be written to", async () => {
  mkdirSync(at("locked"), { mode: 0o555 });
  const { code, err } = await tiny("generate", "a", "-o", at("locked/x.png"));
  expect([code, err]).toEqual([1, expect.stringContaining("the folder may not be written to")]);
});
