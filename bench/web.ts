/// <reference lib="dom" />
/**
 * The model in a page of Chromium against the same in Node: from nothing to a picture, and steps a second once it runs.
 * A cold page has an empty cache and compiles WebAssembly; cold Node is a new process. Pages of the built studio.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { loadModel, type Model } from "fewstep";
import { createSite } from "fewstep/studio";
import { type Browser, chromium, type Page } from "playwright-core";
import { inTurns, median, table } from "./report.ts";

const PROMPT = "a photo of four cars";
const SETTINGS = { seed: 7, steps: 8, guidance: 0 };
const THREADS = [1, 2];

export interface WebFigures {
  /** Seconds from nothing to a picture. */
  cold: { page: number; node: number; ratio: number };
  /** Steps a second. */
  steps: { threads: number; page: number; node: number; ratio: number }[];
}

export async function benchWeb({ rounds }: { rounds: number }): Promise<{ figures: WebFigures; text: string }> {
  const path = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(path)) throw new Error(`there is no Chromium at ${path}; name it in the variable CHROMIUM`);
  const site = await createSite({ runs: "out" });
  const missing = () => new Response(undefined, { status: 404 });
  const server = createServer(getRequestListener(async (request) => (await site.fetch(request)) ?? missing()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?device=cpu&threads=`;
  const browser = await chromium.launch({ executablePath: path, args: ["--no-sandbox"] });
  try {
    const few = Math.min(rounds, 3);
    // One thread: the others would wait for each other where cores are shared.
    const [page, node] = await inTurns(few, [() => coldPage(browser, `${address}1`), async () => coldNode()]);
    const cold = { page: page / 1000, node: node / 1000, ratio: page / node };
    const steps: WebFigures["steps"] = [];
    for (const threads of THREADS) steps.push(await warm(browser, `${address}${threads}`, threads, rounds));
    return { figures: { cold, steps }, text: textOf({ cold, steps }) };
  } finally {
    await browser.close();
    server.close();
  }
}

/** What the studio leaves in the console of its page. */
type Console = typeof globalThis & { fewstep: { model: Model } };
const loaded = (page: Page) => page.waitForFunction(() => "fewstep" in globalThis, undefined, { timeout: 120_000 });

const drawIn = (page: Page): Promise<number> =>
  page.evaluate(
    async ([prompt, settings]) => {
      const run = await (globalThis as Console).fewstep.model.generateImage(prompt, settings);
      return run.timings.model;
    },
    [PROMPT, SETTINGS] as const,
  );

async function coldPage(browser: Browser, address: string): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(address);
  await loaded(page);
  await drawIn(page);
  await context.close();
}

function coldNode(): void {
  const program = `import { loadModel } from "fewstep"; const model = await loadModel(undefined, { threads: 1 });
    await model.generateImage(${JSON.stringify(PROMPT)}, ${JSON.stringify(SETTINGS)}); await model.dispose();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: import.meta.dirname,
    stdio: "inherit",
  });
}

async function warm(browser: Browser, address: string, threads: number, rounds: number) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(address);
  await loaded(page);
  const model = await loadModel(undefined, { threads });
  const times: [page: number[], node: number[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    const inPage = await drawIn(page);
    const { timings } = await model.generateImage(PROMPT, SETTINGS);
    if (round < 0) continue;
    times[0].push(inPage);
    times[1].push(timings.model);
  }
  await model.dispose();
  await context.close();
  const [inPage, node] = times.map((all) => (1000 * SETTINGS.steps) / median(all));
  return { threads, page: inPage, node, ratio: inPage / node };
}

function textOf({ cold, steps }: WebFigures): string {
  const rows = steps.map(({ threads, page, node, ratio }) => [
    `${threads}`,
    page.toFixed(1),
    node.toFixed(1),
    ratio.toFixed(2),
  ]);
  return [
    `From nothing to a picture of ${SETTINGS.steps} steps: ${cold.page.toFixed(2)} s in a cold page, ${cold.node.toFixed(2)} s in`,
    `a new Node process; the page takes ${cold.ratio.toFixed(2)} times as long.`,
    "",
    "Steps a second, one picture, no guidance:",
    "",
    table(["threads", "page (WebAssembly)", "Node", "page / Node"], rows),
  ].join("\n");
}
