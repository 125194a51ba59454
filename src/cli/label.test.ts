/** Models that draw classes, from the command line. */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { at, cli, files, tiny } from "../../test/cli.ts";
import { saveTinyLabelModel } from "../../test/tiny-label-model.ts";
import { readPicture, readPngText } from "../image/index.ts";
import { plansOf } from "./eval-code.ts";

beforeEach(() => saveTinyLabelModel(at("model")));

test("generate draws a class with as many drafted scales as asked for", async () => {
  const made = await cli([
    ...["generate", "hot dog", "--model", at("model"), "--draft-scales", "1", "--seed", "3", "-n", "2", "--json"],
    ...["-o", at("dog.png"), "--steps-strip", at("strip.png"), "--threads", "1"],
  ]);
  expect(made).toMatchObject({ code: 0, err: "" });
  expect(files()).toEqual(["dog-1.png", "dog-2.png", "model", "strip.png"]);
  expect(JSON.parse(made.out)).toMatchObject({
    model: "tiny-code",
    prompt: "hot dog",
    schedule: "1 drafted",
    images: [{ path: at("dog-1.png"), seed: 3, width: 6 }, { seed: 4 }],
    // Two pictures and their unasked twins: five tokens of the refiner's 8 numbers, keys and values.
    cacheBytes: 4 * 2 * 5 * 8 * 4,
  });
  expect(await readPicture(at("dog-1.png"))).toMatchObject({ width: 256, height: 256 });
  expect(JSON.parse(readPngText(readFileSync(at("dog-2.png"))).fewstep)).toMatchObject({ seed: 4, guidance: 1.5 });
  const strip = await readPicture(at("strip.png"));
  expect(strip.width).toBeGreaterThan(3 * 128);
});

test("unknown classes and numbers of scales are refused with what there is", async () => {
  const of = async (...argv: string[]) =>
    (await cli(["generate", ...argv, "--model", at("model"), "-o", at("x.png")])).err;
  expect(await of("zebar")).toContain("Did you mean zebra?");
  expect(await of("7")).toContain("a number from 0 to 2");
  expect(await of("cup", "--draft-scales", "4")).toContain("a whole number from 0 to 3");
  expect(files()).toEqual(["model"]);
  const other = await tiny("generate", "a red car", "--draft-scales", "2", "-o", at("x.png"));
  expect(other.err).toContain("--draft-scales: this model draws sentences");
});

test("eval code measures one row", async () => {
  const { code, out, err } = await cli([
    ...["eval", "code", "--model", at("model"), "--draft-scales", "2", "--images", "4", "--batch", "2", "--json"],
  ]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const [row, ...others] = JSON.parse(out).rows;
  expect(others).toEqual([]);
  expect(row).toMatchObject({ draftScales: 2, pair: "free", images: 4, batchSize: 2, accuracy: { of: 4 } });
  for (const name of ["imagesPerSecond", "imagesPerSecondWithoutPixels", "cacheBytes", "peakMemory", "frechet"])
    expect([name, row[name] > 0]).toEqual([name, true]);
  expect((await cli(["eval", "code", "--model", at("nowhere")])).err).toContain("no next-scale model");
}, 60_000);

test("a row for each number of scales, another for pairs that were trained for it", () => {
  const rows = (options: object) =>
    plansOf(options, { pairs: { 2: {} } }, 3).map((plan) => [plan.draftScales, plan.name]);
  expect(rows({})).toEqual([
    ...[
      [3, "free"],
      [2, "free"],
      [2, "specialised"],
    ],
    ...[
      [1, "free"],
      [0, "free"],
    ],
  ]);
  expect(rows({ draftScales: 2 })).toEqual([
    [2, "free"],
    [2, "specialised"],
  ]);
  expect(rows({ draftScales: 2, refiner: "small" })).toEqual([[2, "drafter + small"]]);
});
