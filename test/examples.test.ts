/** The examples run as they stand, each in a folder of its own. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPicture } from "../src/image/index.ts";
import { saveTinyModel } from "./tiny-model.ts";

const examples = fileURLToPath(new URL("../examples/", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "fewstep-examples-"));
beforeAll(() => saveTinyModel(join(root, "tiny")));
afterAll(() => rmSync(root, { recursive: true }));

async function run(name: string): Promise<{ out: string; folder: string }> {
  const folder = mkdtempSync(join(root, `${name}-`));
  const program = join(examples, `${name}.mjs`);
  const { stdout } = await promisify(execFile)(process.execPath, [program, join(root, "tiny")], { cwd: folder });
  return { out: stdout, folder };
}

test("generate-and-describe", async () => {
  const { out, folder } = await run("generate-and-describe");
  expect(await readPicture(join(folder, "cars.png"))).toMatchObject({ width: 256, height: 256 });
  expect(out).toMatch(/^cars\.png, seed 7, [\d.]+ ms\nIt shows .*\nHow many cars are there\? /s);
});

test("watch-steps", async () => {
  const { out, folder } = await run("watch-steps");
  expect(out).toMatch(/^step 1\/12: 15 cells open, \d+ % sure\nstep 2\/12: /);
  expect(readdirSync(folder)).toContain("apple-2.png");
});

test("inpaint", async () => {
  const { folder } = await run("inpaint");
  const pictures = await Promise.all([1, 2, 3, 4].map((i) => readPicture(join(folder, `after-${i}.png`))));
  expect(new Set(pictures.map(({ data }) => Buffer.from(data).toString("base64"))).size).toBe(4);
});

test("there is no other example, and none is longer than 30 lines", () => {
  const names = readdirSync(examples).filter((name) => name.endsWith(".mjs"));
  expect(names.sort()).toEqual(["generate-and-describe.mjs", "inpaint.mjs", "watch-steps.mjs"]);
  for (const name of names) expect(readFileSync(join(examples, name), "utf8").split("\n").length).toBeLessThan(30);
});
