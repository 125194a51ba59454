/** The examples run as they stand, each in a folder of its own. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPicture } from "../src/image/index.ts";
import { tinyServer } from "./server.ts";
import { saveTinyModel } from "./tiny-model.ts";

const examples = fileURLToPath(new URL("../examples/", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "fewstep-examples-"));
beforeAll(() => saveTinyModel(join(root, "tiny")));
afterAll(() => rmSync(root, { recursive: true }));

/** The page, as any server of files would serve it. */
const site = createServer((_, response) => response.end(readFileSync(join(examples, "page.html"))));
await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
const origin = `http://localhost:${(site.address() as AddressInfo).port}`;
afterAll(() => void site.close());

const tiny = tinyServer({ origins: [origin] });

async function run(name: string, ...argv: string[]): Promise<{ out: string; folder: string }> {
  const folder = mkdtempSync(join(root, `${name}-`));
  const program = join(examples, `${name}.mjs`);
  const args = argv.length ? argv : [join(root, "tiny")];
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], { cwd: folder });
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

test("openai-client", async () => {
  const { out, folder } = await run("openai-client", `${tiny.url}/v1`);
  expect(out).toMatch(/^(image_generation\.partial_image \d+\n){3}image_generation\.completed \d+\n./);
  expect(await readPicture(join(folder, "cars.png"))).toMatchObject({ width: 256, height: 256 });
});

test("ai-sdk", async () => {
  const { out, folder } = await run("ai-sdk", `${tiny.url}/v1`, "tiny");
  expect(await readPicture(join(folder, "car.png"))).toMatchObject({ width: 256, height: 256 });
  expect(out.trim()).not.toBe("");
});

test("next-route", async () => {
  process.env.FEWSTEP_MODEL = join(root, "tiny");
  const { GET, POST, close } = await import(new URL("../examples/next-route.mjs", import.meta.url).href);
  const url = "https://example.com/v1/images/generations";
  const headers = { "content-type": "application/json", origin: "https://example.com" };
  const body = JSON.stringify({ prompt: "a red car", steps: 2, seed: 1 });
  const drawn = await (await POST(new Request(url, { method: "POST", headers, body }))).json();
  expect(await readPicture(Buffer.from(drawn.data[0].b64_json, "base64"))).toMatchObject({ width: 256 });
  expect((await GET(new Request("https://example.com/v1/nothing"))).status).toBe(404);
  await close();
});

const CHROMIUM = "/usr/bin/chromium";

test.skipIf(!existsSync(CHROMIUM))(`page (skipped where there is no ${CHROMIUM})`, async () => {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/?server=${encodeURIComponent(tiny.url)}`);
    await page.getByLabel("What to draw").fill("a red car");
    await page.getByRole("button", { name: "Draw" }).click();
    await page.getByRole("status").getByText("done").waitFor();
    expect(await page.locator("img").evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth)).toBe(
      256,
    );
  } finally {
    await browser.close();
  }
});

test("there is no other example, and none is longer than 30 lines", () => {
  const names = readdirSync(examples);
  const programs = ["ai-sdk", "generate-and-describe", "inpaint", "next-route", "openai-client", "watch-steps"];
  expect(names.sort()).toEqual([...programs.map((name) => `${name}.mjs`), "page.html"].sort());
  for (const name of names) expect(readFileSync(join(examples, name), "utf8").split("\n").length).toBeLessThan(30);
});
