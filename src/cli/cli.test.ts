/** Every command on the tiny model. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { at, cli, files, model, savedPicture, tiny, work } from "../../test/cli.ts";
import { encodePicture, picture, readPicture, readPngText } from "../image/index.ts";
import { printable } from "./shell/io.ts";

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
  expect(text.out).toBe(`${printable(JSON.parse(json.out).text)}\n`);
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
  expect(made).toMatchObject({ code: 0, out: `${at("scenes-quarters-train.png")}\n` });
  expect(await readPicture(at("scenes-quarters-train.png"))).toMatchObject({ width: 3 * 72 + 8, height: 2 * 72 + 8 });
  expect((await cli(["scenes", "--domain", "small"])).code).toBe(2);
  expect((await cli(["scenes", "--rows", "0"])).code).toBe(1);
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
