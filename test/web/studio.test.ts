/// <reference lib="dom" />
/** The studio in a real browser: every feature clicked through, on a desktop and on a phone. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { encodePicture, enlarge, picture, readPicture, readPngText } from "../../src/image/index.ts";
import { loadLabelModel } from "../../src/index.ts";
import { type Studio, startStudio } from "../../src/studio/index.ts";
import { saveTinyLabelModel } from "../tiny-label-model.ts";
import { saveTinyModel } from "../tiny-model.ts";
import { buildPage, CHROMIUM, faultsOf, launch, NO_CHROMIUM, PAGE, plainServer, seriousFaults } from "./harness.ts";

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const LONG = 300_000;

const made = mkdtempSync(join(tmpdir(), "fewstep-studio-"));
let browser: Browser;
let context: BrowserContext | undefined;
let server: Awaited<ReturnType<typeof plainServer>>;

beforeAll(async () => {
  if (!CHROMIUM) return;
  buildPage();
  await saveTinyModel(join(made, "tiny"));
  await saveTinyLabelModel(join(made, "code"));
  server = await plainServer({ tiny: join(made, "tiny") });
  browser = await launch();
}, LONG);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(made, { recursive: true });
});
beforeEach(({ skip }) => skip(!CHROMIUM, NO_CHROMIUM));
afterEach(() => context?.close());

/** A page of its own storage, whose faults are collected. */
async function open(size: keyof typeof SIZES, address: string) {
  context = await browser.newContext({ viewport: SIZES[size], hasTouch: size === "phone", acceptDownloads: true });
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const faults = faultsOf(page);
  await page.goto(address);
  return { page, faults };
}

const go = (page: Page, view: string) => page.getByRole("link", { name: view, exact: true }).click();
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();
const ready = (page: Page) => page.getByText(/ on (WebAssembly|WebGPU|127)/).waitFor();

/** The slider of that name set to a value, as its keys do. */
const slide = (page: Page, name: string, value: number) => page.getByLabel(name, { exact: true }).fill(`${value}`);

/** How many different colours the first picture of the result has. */
const colours = (page: Page) =>
  page
    .getByRole("region", { name: "Result" })
    .locator("canvas")
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });

for (const size of ["desktop", "phone"] as const)
  test(`${size}: drawing, looking, describing, editing, comparing, keeping`, { timeout: LONG }, async () => {
    const { page, faults } = await open(size, `${server.url}?model=tiny&threads=1`);
    await ready(page);
    expect(await seriousFaults(page)).toEqual([]);

    // Drawing, its steps, and how sure the model was.
    await page.getByLabel("Prompt", { exact: true }).fill("a red car");
    if (size === "phone") await page.getByText("Settings", { exact: true }).click();
    // Until something is chosen, as the model draws by itself.
    expect(await page.getByLabel("Guidance", { exact: true }).inputValue()).toBe("1.5");
    expect(await page.getByLabel("Steps", { exact: true }).inputValue()).toBe("4");
    await slide(page, "Pictures", 2);
    await slide(page, "Steps", 3);
    await page.getByLabel("Seed", { exact: true }).fill("11");
    expect(await page.getByRole("button", { name: "Keep this seed" }).getAttribute("aria-pressed")).toBe("true");
    await press(page, "Draw");
    await page.getByText("steps a second").waitFor();
    const first = page.getByRole("img", { name: /^“a red car”, picture 1/ });
    expect(await first.getAttribute("aria-label")).toContain("step 3 of 3, all cells decided");
    expect(await colours(page)).toBeGreaterThan(50);
    await slide(page, "Step", 1);
    expect(await first.getAttribute("aria-label")).toMatch(/step 1 of 3, \d+ cells open/);
    await page.getByText("Confidence", { exact: true }).click();
    expect(await first.locator("canvas").count()).toBe(1);
    await page.getByText("Both", { exact: true }).click();
    expect(await first.locator("canvas").count()).toBe(2);
    await press(page, "Play the steps");
    await page.getByText("3 / 3", { exact: true }).waitFor();

    // The same settings as a program, and as a file.
    await press(page, "Copy as code");
    const dialog = page.getByRole("dialog", { name: "Copy as code" });
    expect(await dialog.locator("code").textContent()).toContain(
      'generateImage("a red car", { "seed"'.replace('"seed"', "seed"),
    );
    await dialog.getByText("Command line", { exact: true }).click();
    expect(await dialog.locator("code").textContent()).toContain(
      "npx fewstep generate 'a red car' --seed 11 --steps 3",
    );
    expect(await dialog.locator("code").textContent()).toMatch(/ --model \S+\n$/);
    await dialog.getByRole("button", { name: "Close" }).click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download the PNG" }).first().click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("a-red-car-11.png");
    const file = readFileSync(await download.path());
    expect(JSON.parse(readPngText(file).fewstep)).toMatchObject({ prompt: "a red car", seed: 11, steps: 3 });

    // Describing: the answer, and what each pass guessed.
    await page.getByRole("button", { name: "Describe this picture" }).first().click();
    await press(page, "Describe");
    await page.getByText(/tokens in \d+ passes/).waitFor();
    expect(await page.getByRole("list", { name: "Passes" }).getByRole("listitem").count()).toBeGreaterThan(0);
    await page.getByText("One by one", { exact: true }).click();
    await page.getByLabel("Question").fill("is there a dog?");
    await press(page, "Describe");
    await page.getByText(/: 1\.0 a pass/).waitFor();
    if (size === "desktop") expect(await seriousFaults(page)).toEqual([]);

    // Redrawing what a brush marks, by hand and by keys.
    await go(page, "Edit");
    const mask = page.getByRole("application", { name: /^Mask of 4 by 4 cells/ });
    await mask.scrollIntoViewIfNeeded();
    const box = (await mask.boundingBox())!;
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 10, { steps: 4 });
    await page.mouse.up();
    const marked = async () => Number(/cells, (\d+) marked/.exec((await mask.getAttribute("aria-label")) ?? "")?.[1]);
    const painted = await marked();
    expect(painted).toBeGreaterThan(1);
    await mask.focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", " "]) await page.keyboard.press(key);
    expect(await marked()).toBe(painted + 1);
    await press(page, "Redraw");
    await page.getByText("steps a second").waitFor();
    expect(await colours(page)).toBeGreaterThan(50);

    // Pulling an edge out.
    await page.getByText("Extend", { exact: true }).first().click();
    const edge = page.getByRole("slider", { name: "Add on the right" });
    await edge.scrollIntoViewIfNeeded();
    const handle = (await edge.boundingBox())!;
    await page.mouse.move(handle.x + 4, handle.y + 20);
    await page.mouse.down();
    await page.mouse.move(handle.x + 300, handle.y + 20, { steps: 3 });
    await page.mouse.up();
    expect(await edge.getAttribute("aria-valuenow")).toBe("2");
    await edge.press("ArrowLeft");
    expect(await edge.getAttribute("aria-valuenow")).toBe("1");
    await press(page, "Extend");
    await page.getByRole("img", { name: /step 3 of 3, all cells decided/ }).waitFor();
    const canvas = page.getByRole("region", { name: "Result" }).locator("canvas").first();
    expect(await canvas.evaluate(({ width, height }: HTMLCanvasElement) => width / height)).toBe(5 / 4);
    expect(await seriousFaults(page)).toEqual([]);

    // Two settings on one seed.
    await go(page, "Compare");
    await page.getByRole("region", { name: "A" }).getByLabel("Steps").fill("4");
    await page.getByRole("region", { name: "B" }).getByLabel("Steps").fill("2");
    await press(page, "Draw both");
    await page.getByRole("region", { name: "B" }).getByText("steps a second").waitFor();
    await slide(page, "Progress of both", 50);
    await page
      .getByRole("region", { name: "A" })
      .getByRole("img", { name: /step 2 of 4/ })
      .first()
      .waitFor();
    await page
      .getByRole("region", { name: "B" })
      .getByRole("img", { name: /step 1 of 2/ })
      .first()
      .waitFor();
    if (size === "desktop") expect(await seriousFaults(page)).toEqual([]);

    // What was drawn is kept, also over a reload; settings are taken up from it and from a file that is dropped.
    await go(page, "Gallery");
    const kept = await page.getByRole("button", { name: /^Download/ }).count();
    expect(kept).toBe(2 + 1 + 1 + 4);
    await page
      .getByRole("button", { name: /^Delete a red car/ })
      .first()
      .click();
    await page.reload();
    await ready(page);
    await expect.poll(() => page.getByRole("button", { name: /^Download/ }).count()).toBe(kept - 1);
    if (size === "desktop") expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Take up the settings of a red car" }).last().click();
    expect(await page.getByLabel("Prompt", { exact: true }).inputValue()).toBe("a red car");
    await page.getByLabel("Prompt", { exact: true }).fill("something else");
    await drop(page, "picture.png", file);
    await page.getByText("Settings restored: seed 11, 3 steps").first().waitFor();
    expect(await page.getByLabel("Prompt", { exact: true }).inputValue()).toBe("a red car");
    await drop(page, "plain.png", await encodePicture(picture(40, 32, [10, 200, 30])));
    await page.getByRole("application", { name: /^Mask/ }).waitFor();

    // Colours, keys, tables.
    await press(page, "Dark colours");
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
    if (size === "desktop") expect(await seriousFaults(page)).toEqual([]);
    await press(page, "Keyboard shortcuts");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByRole("button", { name: "Close" }).click();
    await page.keyboard.press("Alt+7");
    await page.getByRole("heading", { name: "Results", exact: true }).waitFor();
    expect(await page.getByRole("table").count()).toBeGreaterThan(1);
    if (size === "desktop") expect(await seriousFaults(page)).toEqual([]);
    await page.keyboard.press("Alt+1");
    await page.keyboard.press("Control+Enter");
    await page.getByText("steps a second").waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
    expect(faults).toEqual([]);
  });

/** Drops a file on the page, as a person does. */
const drop = (page: Page, name: string, bytes: Uint8Array) =>
  page.evaluate(
    ([name, bytes]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/png" }));
      dispatchEvent(new DragEvent("dragover", { dataTransfer, cancelable: true }));
      dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
    },
    [name, [...bytes]] as const,
  );

test("a drawing stops when it is told to", { timeout: LONG }, async () => {
  const { page, faults } = await open("desktop", `${server.url}?model=tiny&threads=1`);
  await ready(page);
  await slide(page, "Steps", 32);
  await slide(page, "Pictures", 9);
  await press(page, "Draw");
  await page
    .getByRole("img", { name: /step \d+ of 32/ })
    .first()
    .waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("Cancelled").first().waitFor();
  expect(await page.getByRole("button", { name: "Stop" }).count()).toBe(0);
  expect(faults).toEqual([]);
});

test("the models of the package in a page, each loaded when it is asked for", { timeout: LONG }, async () => {
  const { page, faults } = await open("desktop", `${server.url}?threads=1#compare`);
  await page.getByText("turbo-mini, show-o-mini, code-mini on").waitFor();
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  const [a, b] = ["A", "B"].map((name) => page.getByRole("region", { name }));
  expect(await a.getByLabel("Model").inputValue()).toBe("turbo-mini");
  expect(await b.getByLabel("Model").inputValue()).toBe("show-o-mini");
  await b.getByLabel("Model").selectOption("code-mini");
  await page.getByLabel("Prompt of both").fill("a photo of a car");
  await a.getByLabel("Steps", { exact: true }).fill("2");
  expect(fetched.filter((url) => url.endsWith(".safetensors"))).toEqual([]);
  await press(page, "Draw both");
  await b.getByText("steps a second").waitFor();
  const names = fetched.flatMap((url) => /([a-z]+)[\w-]*\.safetensors/.exec(url)?.[1] ?? []);
  expect(names.sort()).toEqual(["drafter", "msvq", "refiner"]);
  await page.getByText("Loading the model").waitFor({ state: "hidden" });
  // What is shown of the last step is what came of it.
  const shown = await b
    .locator("canvas")
    .evaluateAll((all) => all.map((one) => (one as HTMLCanvasElement).toDataURL()));
  expect(new Set(shown).size).toBe(4);
  const downloading = page.waitForEvent("download");
  await b.getByRole("button", { name: "Download the PNG" }).first().click();
  const file = readFileSync(await (await downloading).path());
  const drawn = await readPicture(file);
  const { seed } = JSON.parse(readPngText(file).fewstep);
  const node = await loadLabelModel("code-mini", { host: "inline" });
  const { images } = await node.generateImage("car", { seed });
  await node.dispose();
  const { data } = enlarge(images[0], drawn.width, drawn.height);
  expect(data.every((value, i) => Math.abs(value - drawn.data[i]) < 2)).toBe(true);
  expect(faults).toEqual([]);
});

test("on a server: drawing, describing, a training run as it goes", { timeout: LONG }, async () => {
  const run = join(made, "runs/mine");
  mkdirSync(join(run, "samples/step-1"), { recursive: true });
  const metrics = join(run, "metrics.jsonl");
  writeFileSync(metrics, '{"step":1,"loss":4.5,"lr":0.1}\n{"step":2,"loss":3.25,"lr":0.1}\n');
  writeFileSync(join(run, "samples/step-1/pictures.png"), await encodePicture(picture(8, 8)));
  const options = { port: 0, page: PAGE, runs: join(made, "runs"), models: [join(made, "tiny")], threads: 1 };
  const studio: Studio = await startStudio(options);
  try {
    const { page, faults } = await open("desktop", studio.url);
    await ready(page);
    await page.getByText("tiny on 127").waitFor();
    expect(await page.getByLabel("server").isChecked()).toBe(true);
    expect(await page.getByLabel("Guidance", { exact: true }).inputValue()).toBe("1.5");
    await page.getByLabel("Prompt", { exact: true }).fill("a red car");
    await slide(page, "Steps", 3);
    await slide(page, "Pictures", 2);
    await press(page, "Draw");
    await page.getByText("steps a second").waitFor();
    expect(await colours(page)).toBeGreaterThan(50);
    await page.getByRole("button", { name: "Describe this picture" }).first().click();
    await press(page, "Describe");
    await page.getByText(/tokens in \d+ passes/).waitFor();
    await go(page, "Edit");
    await page.getByRole("application").focus();
    await page.keyboard.press(" ");
    await press(page, "Redraw");
    await page.getByText("steps a second").waitFor();

    await go(page, "Training");
    await page.getByRole("img", { name: "Losses up to step 2: loss 3.250" }).waitFor();
    await page.getByRole("img", { name: "lr up to step 2: lr 0.1000" }).waitFor();
    await page.getByRole("img", { name: "Samples of step-1/pictures.png" }).waitFor();
    appendFileSync(metrics, '{"step":3,"loss":1.125}\n{"step":4,"lo');
    await page.getByRole("img", { name: "Losses up to step 3: loss 1.125" }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
  } finally {
    await studio.close();
  }
});

test("on a server: sentences by steps beside classes by scales", { timeout: LONG }, async () => {
  const models = [join(made, "tiny"), join(made, "code")];
  const studio: Studio = await startStudio({ port: 0, page: PAGE, runs: made, models, threads: 1 });
  try {
    const { page, faults } = await open("phone", `${studio.url}#compare`);
    await page.getByText("tiny, code on 127").waitFor();
    await page.getByLabel("Prompt of both").fill("a photo of a cup");
    const [a, b] = ["A", "B"].map((name) => page.getByRole("region", { name }));
    await a.getByLabel("Steps").fill("4");
    // Until something is chosen the second model is beside the first.
    expect(await b.getByLabel("Model").inputValue()).toBe("code");
    expect(await b.getByLabel("Drafted scales").inputValue()).toBe("2");
    expect(await b.getByLabel("Steps").count()).toBe(0);
    await b.getByLabel("Drafted scales").fill("1");
    await press(page, "Draw both");
    await b.getByText("steps a second").waitFor();
    await slide(page, "Progress of both", 40);
    await a
      .getByRole("img", { name: /step 2 of 4, \d+ cells open/ })
      .first()
      .waitFor();
    await b
      .getByRole("img", { name: /step 2 of 3, all cells decided/ })
      .first()
      .waitFor();
    await page.getByText("Confidence", { exact: true }).click();
    expect(await b.getByRole("img").first().locator("canvas").count()).toBe(1);

    // The file knows how many scales were drafted; only models that can are offered for other tasks.
    await slide(page, "Progress of both", 100);
    const downloading = page.waitForEvent("download");
    await b.getByRole("button", { name: "Download the PNG" }).first().click();
    const file = readFileSync(await (await downloading).path());
    expect(JSON.parse(readPngText(file).fewstep)).toMatchObject({ model: "tiny-code", draftScales: 1, steps: 3 });
    await go(page, "Draw");
    await page.getByText("Settings", { exact: true }).click();
    await page.getByLabel("Model").selectOption("code");
    await page.getByRole("list", { name: "Ideas" }).getByRole("button", { name: "hot dog" }).click();
    await page.getByLabel("Picture at every step").uncheck();
    await press(page, "Draw");
    await page.getByText("steps a second").waitFor();
    // Without pictures on the way there is still the one that came of it.
    expect(await colours(page)).toBeGreaterThan(20);
    await press(page, "Copy as code");
    const code = page.getByRole("dialog", { name: "Copy as code" }).locator("code");
    expect(await code.textContent()).toContain('await loadLabelModel("code")');
    expect(await code.textContent()).toContain("draftScales: 2");
    await page.getByRole("dialog", { name: "Copy as code" }).getByRole("button", { name: "Close" }).click();
    await go(page, "Edit");
    expect(await page.getByLabel("Model").count()).toBe(0);
    await page.getByText("Settings", { exact: true }).click();
    await slide(page, "Steps", 7);
    expect(await page.getByLabel("Steps", { exact: true }).inputValue()).toBe("7");
    expect(await seriousFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
  } finally {
    await studio.close();
  }
});
