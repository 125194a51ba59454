/** Every command on the tiny model, and everything that may go wrong: the message, the exit code, nothing left behind. */
import { spawn } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { saveTinyModel } from "../../test/tiny-model.ts";
import { f32, Rng } from "../base/index.ts";
import { readSafetensors, writeSafetensors } from "../files/index.ts";
import { encodePicture, picture, readPicture, readPngText } from "../image/index.ts";
import { run } from "./run.ts";
import type { Io } from "./shell/io.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-cli-"));
const model = join(root, "tiny");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let work = "";
beforeAll(() => saveTinyModel(model));
beforeEach(() => {
  work = mkdtempSync(join(root, "work-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const files = () => readdirSync(work).sort();
const at = (name: string) => join(work, name);

/** Runs a command in this process. */
async function cli(argv: string[], world: Partial<Io> & { stdin?: Uint8Array } = {}) {
  const out: Uint8Array[] = [];
  let err = "";
  const io: Io = {
    out: async (data) => void out.push(Buffer.from(data)),
    err: (text) => void (err += text),
    input: async () => world.stdin ?? new Uint8Array(),
    live: false,
    colors: false,
    env: {},
    signal: new AbortController().signal,
    // The thread of its own is what the compiled program is tested with, below.
    host: "inline",
    ...world,
  };
  const code = await run(argv, io);
  const bytes = Buffer.concat(out);
  return { code, out: bytes.toString(), bytes, err };
}

/** With the tiny model. */
const tiny = (...argv: string[]) => cli([...argv, "--model", model, "--threads", "1"]);

/** Runs the compiled program in a process of its own, in the working folder. */
function child(argv: string[], stdout: "pipe" | number = "pipe") {
  const process_ = spawn(process.execPath, [main, ...argv], { cwd: work, stdio: ["ignore", stdout, "pipe"] });
  let [out, err] = ["", ""];
  process_.stdout?.on("data", (data) => (out += data));
  process_.stderr?.on("data", (data) => (err += data));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    process_.on("close", (code) => resolve({ code, out, err })),
  );
}

async function savedPicture(name: string, width = 40, height = width): Promise<string> {
  const rng = new Rng(1);
  const data = Uint8Array.from({ length: width * height * 3 }, () => rng.int(256));
  writeFileSync(at(name), await encodePicture(picture(width, height, data)));
  return at(name);
}

test("generate writes a picture that tells how it was made, under a name made of the prompt", async () => {
  const output = `${work}/`;
  const first = await tiny("generate", "A red car!", "--seed", "7", "--steps", "3", "-o", output);
  expect(first).toMatchObject({ code: 0, out: `${at("a-red-car.png")}\n`, err: "" });
  expect(await readPicture(at("a-red-car.png"))).toMatchObject({ width: 256, height: 256 });
  expect(JSON.parse(readPngText(readFileSync(at("a-red-car.png"))).fewstep)).toMatchObject({ seed: 7, steps: 3 });
  // A prompt alone is enough, and no file is replaced.
  const second = await tiny("A red car!", "--seed", "7", "--steps", "3", "--size", "32", "-o", output);
  expect(second).toMatchObject({ code: 0, out: `${at("a-red-car-2.png")}\n` });
  expect(await readPicture(at("a-red-car-2.png"))).toMatchObject({ width: 32, height: 32 });
  const named = await tiny("generate", "a red car", "-o", at("a-red-car.png"));
  expect(named).toMatchObject({ code: 0, err: "fewstep: replaced a-red-car.png\n" });
});

test("several pictures, their JSON, and the strip of steps", async () => {
  const made = await tiny(
    ...["generate", "a red car", "-n", "2", "--seed", "5", "--steps", "4", "--guidance", "0", "--top-k", "9"],
    ...["--temperature", "0.5", "--json", "-o", at("car.png"), "--steps-strip", at("strip.png")],
  );
  const report = JSON.parse(made.out);
  expect(report).toMatchObject({ task: "generate", model: "tiny", steps: 4, guidance: 0, topK: 9, temperature: 0.5 });
  expect(report.images).toMatchObject([
    { path: at("car-1.png"), seed: 5, width: 32, height: 32 },
    { path: at("car-2.png"), seed: 6 },
  ]);
  expect(files()).toEqual(["car-1.png", "car-2.png", "strip.png"]);
  // Four states of 128 pixels with gaps of 8.
  const strip = await readPicture(at("strip.png"));
  expect(strip.width).toBe(4 * 136 + 8);
  const pixel = (x: number, y: number) => [
    ...strip.data.subarray((y * strip.width + x) * 3, (y * strip.width + x) * 3 + 3),
  ];
  // The last state has no open cell, so its pixels are those of the picture, four times as large.
  const { data } = await readPicture(at("car-1.png"));
  for (const i of [0, 9, 31])
    expect(pixel(8 + 3 * 136 + 4 * i, 8 + 4 * i)).toEqual([0, 1, 2].map((c) => data[(8 * i * 256 + 8 * i) * 3 + c]));
  // The first one has 14 open cells of 16: mostly the hatching.
  let hatched = 0;
  for (let y = 0; y < 128; y++)
    for (let x = 0; x < 128; x++)
      hatched += Number(
        [196, 224].includes(pixel(8 + x, 8 + y)[1]) && pixel(8 + x, 8 + y)[0] === pixel(8 + x, 8 + y)[1],
      );
  expect(hatched / 128 ** 2).toBeGreaterThanOrEqual(14 / 16);
});

test("a picture to standard output, a prompt from standard input", async () => {
  const argv = ["generate", "-", "--seed", "1", "-o", "-", "--model", model];
  const made = await cli(argv, { stdin: Buffer.from("a red car\n") });
  expect(made.code).toBe(0);
  expect(JSON.parse(readPngText(made.bytes).fewstep).prompt).toBe("a red car");
  const described = await cli(["describe", "-", "--seed", "1", "--model", model, "--json"], { stdin: made.bytes });
  expect(JSON.parse(described.out)).toMatchObject({ task: "describe", question: "describe the picture.", tokens: 24 });
  expect((await tiny("generate", "x", "-o", "-", "-n", "2")).err).toMatch(/standard output takes one picture/);
});

test("describe streams the text that --json reports", async () => {
  const image = await savedPicture("in.png");
  const argv = ["describe", image, "is there a dog?", "--seed", "3", "--max-tokens", "9"];
  const text = await tiny(...argv, "--decoding", "ar");
  const json = await tiny(...argv, "--json");
  expect(text.out).toBe(`${JSON.parse(json.out).text}\n`);
  expect(JSON.parse(json.out)).toMatchObject({ question: "is there a dog?", tokens: 9, finish: "length" });
});

test("inpaint and extend", async () => {
  const image = await savedPicture("in.png");
  writeFileSync(at("mask.png"), await encodePicture(picture(40, 40)));
  const inpainted = await tiny("inpaint", image, "--mask", at("mask.png"), "a red car", "-o", at("new.png"));
  expect(inpainted).toMatchObject({ code: 0, out: `${at("new.png")}\n` });
  const nothing = await tiny(
    "inpaint",
    image,
    "a red car",
    "--mask",
    at("mask.png"),
    "--mask-mode",
    "black",
    "-o",
    at("no.png"),
  );
  expect(nothing).toMatchObject({ code: 1 });
  expect(nothing.err).toMatch(/marks nothing to draw/);
  const extended = await tiny(
    "extend",
    image,
    "--left",
    "20",
    "--right",
    "20",
    "a red car",
    "-o",
    at("wide.png"),
    "--json",
  );
  expect(JSON.parse(extended.out)).toMatchObject({
    task: "extend",
    left: 16,
    right: 16,
    images: [{ width: 64, height: 32 }],
  });
  expect(await readPicture(at("wide.png"))).toMatchObject({ width: 512, height: 256 });
  expect((await tiny("extend", image, "-o", at("no.png"))).err).toMatch(/no margin to add/);
  expect(files()).toEqual(["in.png", "mask.png", "new.png", "wide.png"]);
});

test("start draws, describes and tells the times", async () => {
  const { code, out } = await tiny("start", "a", "red", "car", "--seed", "1", "-o", `${work}/`);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^prompt {7}a red car\npicture {6}.*a-red-car\.png\ndescription {2}.*\ntime .*\d\.\d\d s .*passes\)\n$/s,
  );
  const shown = await cli(["start", "--seed", "1", "--model", model, "-o", `${work}/`], { colors: true });
  expect(shown.out.match(/\u2580/g)).toHaveLength(32 * 16);
});

test("inspect shows weights, pictures with their settings, and models", async () => {
  await tiny("generate", "a red car", "--seed", "2", "-o", at("car.png"));
  expect((await cli(["inspect", at("car.png")])).out).toMatch(
    /^car\.png: 256 x 256 pixels\nparameters:\n {2}a red car\n {2}Steps: 4/,
  );
  const weights = await cli(["inspect", join(model, "showo.safetensors"), "--json"]);
  const report = JSON.parse(weights.out);
  expect(report.tensors[0]).toMatchObject({
    name: "showo.model.embed_tokens.weight",
    dtype: "F16",
    shape: [expect.any(Number), 32],
  });
  expect(report.bytes).toBe(report.parameters * 2);
  expect((await cli(["inspect", model])).out).toMatch(
    /^tiny: 32 x 32 pixels as 16 tokens of 64\n.*showo\.safetensors: \d+ tensors/s,
  );
  expect(await cli(["inspect", work])).toMatchObject({
    code: 1,
    err: expect.stringContaining("not the folder of a model"),
  });
  expect(await cli(["inspect", at("none")])).toMatchObject({ code: 1, err: expect.stringContaining("no such file") });
});

test("scenes writes a contact sheet", async () => {
  const made = await cli([
    "scenes",
    "--columns",
    "3",
    "--rows",
    "2",
    "--size",
    "64",
    "--no-captions",
    "-o",
    `${work}/`,
  ]);
  expect(made).toMatchObject({ code: 0, out: `${at("scenes-easy-train.png")}\n` });
  expect(await readPicture(at("scenes-easy-train.png"))).toMatchObject({ width: 3 * 72 + 8, height: 2 * 72 + 8 });
  expect((await cli(["scenes", "--domain", "small"])).code).toBe(2);
  expect((await cli(["scenes", "--rows", "0"])).code).toBe(1);
});

test("mistakes in typing exit with 2 and say what is wrong; help and version with 0", async () => {
  for (const [argv, message] of [
    [["generate"], /missing required argument 'prompt'/],
    [["generate", "a", "b"], /too many arguments/],
    [["generate", "a", "--step", "4"], /unknown option '--step'\n\(Did you mean --steps\?\)/],
    [["generate", "a", "--steps", "four"], /'four' is invalid.*not a number/],
    [["inpaint", "a.png", "x"], /required option '--mask <file>'/],
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

test("cancelled work exits with 130 and writes nothing", async () => {
  const controller = new AbortController();
  const argv = ["generate", "a", "--steps", "500", "--model", model, "-o", at("x.png"), "--steps-strip", at("y.png")];
  const err = (text: string) => void (text.includes("drawing") && controller.abort());
  const { code } = await cli(argv, { live: true, signal: controller.signal, err });
  expect(code).toBe(130);
  expect(files()).toEqual([]);
});

test("progress is drawn over itself on a terminal, and wiped", async () => {
  let seen = "";
  await cli(["generate", "a red car", "--model", model, "-o", at("x.png")], {
    live: true,
    err: (text) => void (seen += text),
  });
  expect(seen).toMatch(/\rloading \[#+\] \d+\/\d+.*\rdrawing \[######\.+\] 1\/4.*\rdrawing \[#+\] 4\/4\r +\r$/s);
});

test("FEWSTEP_DEBUG shows where an error came from", async () => {
  const { err } = await cli(["inspect", at("none")], { env: { FEWSTEP_DEBUG: "1" } });
  expect(err).toMatch(/no such file.* {4}at /s);
});

test("the program itself: paths, exit codes, a full pipe", { timeout: 180_000 }, async () => {
  const options = ["--model", model, "--threads", "1"];
  const drawn = await child(["a red car", "--seed", "3", ...options]);
  expect(drawn).toEqual({ code: 0, out: `${at("a-red-car.png")}\n`, err: "" });
  expect(await child(["generate", "a", "--steps", "0", ...options])).toMatchObject({ code: 1, out: "" });
  expect((await child(["generate"])).code).toBe(2);
  const full = openSync("/dev/full", "w");
  const piped = await child(["generate", "a", "-o", "-", ...options], full);
  closeSync(full);
  expect(piped).toMatchObject({ code: 1, err: expect.stringContaining("the disk is full") });
  expect(files()).toEqual(["a-red-car.png"]);
});

test("an interrupted process leaves nothing half-written", { timeout: 180_000 }, async () => {
  const argv = ["start", "a zebra", "--steps", "1000", "-n", "50", "--model", model, "--threads", "1"];
  const started = spawn(process.execPath, [main, ...argv], { cwd: work, stdio: ["ignore", "pipe", "ignore"] });
  // It says so when it begins to draw.
  await new Promise((resolve) => started.stdout.once("data", resolve));
  started.kill("SIGINT");
  const code = await new Promise((resolve) => started.on("close", resolve));
  expect(code).toBe(130);
  expect(readdirSync(at("out"))).toEqual([]);
});
