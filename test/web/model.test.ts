/// <reference lib="dom" />
/** The model of the package in a page: the tokens that Node draws, and no need of a network. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { loadLabelModel, loadModel, type Model } from "../../src/index.ts";
import { buildPage, CHROMIUM, launch, NO_CHROMIUM, plainServer } from "./harness.ts";

const LONG = 300_000;
const PROMPT = "a photo of four cars";
const CLASS = "cake";
const SEEDS = [1, 2, 3];
const GUIDED = { steps: 3, guidance: 1 };
// With guidance one token of the third seed is a tie that rounding decides on software WebGPU (docs/LOG.md).
const UNGUIDED = { steps: 3, guidance: 0 };

let server: Awaited<ReturnType<typeof plainServer>>;
let expected: { guided: number[][]; unguided: number[][]; classes: number[][] };

beforeAll(async () => {
  if (!CHROMIUM) return;
  buildPage();
  server = await plainServer();
  const model = await loadModel(undefined, { host: "inline" });
  const draw = async (settings: typeof GUIDED) => {
    const drawn = await Promise.all(SEEDS.map((seed) => model.generateImage(PROMPT, { ...settings, seed })));
    return drawn.map(({ images }) => [...images[0].tokens]);
  };
  const labels = await loadLabelModel("code-mini", { host: "inline" });
  const drawn = await Promise.all(SEEDS.map((seed) => labels.generateImage(CLASS, { seed })));
  const classes = drawn.map(({ images }) => [...images[0].tokens]);
  expected = { guided: await draw(GUIDED), unguided: await draw(UNGUIDED), classes };
  await Promise.all([model.dispose(), labels.dispose()]);
}, LONG);
afterAll(async () => void (await server?.close()));
beforeEach(({ skip }) => skip(!CHROMIUM, NO_CHROMIUM));

/** The studio keeps its model in the console of the page. */
type Console = typeof globalThis & { fewstep: { model: Model; loadLabelModel: typeof loadLabelModel } };
const loaded = (page: Page) => page.waitForFunction(() => "fewstep" in globalThis, undefined, { timeout: LONG });

const tokensIn = (page: Page, settings: typeof GUIDED) =>
  page.evaluate(
    async ([prompt, seeds, settings]) => {
      const { model } = (globalThis as Console).fewstep;
      const tokens: number[][] = [];
      for (const seed of seeds) {
        const { images } = await model.generateImage(prompt, { ...settings, seed });
        tokens.push([...images[0].tokens]);
      }
      return { tokens, device: model.device };
    },
    [PROMPT, SEEDS, settings] as const,
  );

async function inPage(browser: Browser, query: string, work: (page: Page) => Promise<void>): Promise<void> {
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(server.url + query);
    await loaded(page);
    await work(page);
  } finally {
    await browser.close();
  }
}

test("the same seeds give the same tokens as in Node, with threads and without a network", {
  timeout: LONG,
}, async () => {
  await inPage(await launch(), "?device=cpu", async (page) => {
    // The server sends no headers for that: the page sees to it.
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.getByText("works without a network").waitFor({ timeout: LONG });
    await page.context().setOffline(true);
    expect(await tokensIn(page, GUIDED)).toEqual({ tokens: expected.guided, device: "cpu" });
    await page.reload();
    await loaded(page);
    await page.getByLabel("Steps", { exact: true }).fill("2");
    await page.getByLabel("Pictures", { exact: true }).fill("1");
    await page.getByRole("button", { name: "Draw", exact: true }).click();
    await page.getByText("steps a second").waitFor({ timeout: LONG });
    expect(await page.getByRole("button", { name: "Download the PNG" }).count()).toBe(1);
  });
});

test("drafter and refiner draw the tokens of Node", { timeout: LONG }, async () => {
  await inPage(await launch(), "?device=cpu&threads=1", async (page) => {
    const tokens = await page.evaluate(
      async ([label, seeds]) => {
        const model = await (globalThis as Console).fewstep.loadLabelModel("code-mini");
        const tokens: number[][] = [];
        for (const seed of seeds) {
          const { images } = await model.generateImage(label, { seed });
          tokens.push([...images[0].tokens]);
        }
        await model.dispose();
        return tokens;
      },
      [CLASS, SEEDS] as const,
    );
    expect(tokens).toEqual(expected.classes);
  });
});

test("the same on WebGPU, in software", { timeout: 3 * LONG }, async ({ skip }) => {
  skip(!process.env.FEWSTEP_SLOW, "takes minutes; FEWSTEP_SLOW=1 runs it");
  const flags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
  await inPage(await launch(...flags), "?device=webgpu", async (page) => {
    expect(await tokensIn(page, UNGUIDED)).toEqual({ tokens: expected.unguided, device: "webgpu" });
  });
});
