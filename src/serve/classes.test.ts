/** A model that draws classes scale by scale, beside one that draws sentences, to the official client of OpenAI. */
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPicture, readPngText } from "../image/index.ts";
import { loadLabelModel, resized } from "../tasks/index.ts";
import { type Server, startServer } from "./index.ts";
import { Capabilities, Job, JobEvent } from "./protocol.ts";

let server: Server;
let client: OpenAI;
beforeAll(async () => {
  server = await startServer({ port: 0, threads: 1, models: ["turbo-mini", "code-mini"] });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(() => server.close());

const CODE = "code-mini";
const bytesOf = (b64: string | undefined): Buffer => Buffer.from(b64 ?? "", "base64");
const draw = (more: object = {}) =>
  client.images.generate({ model: CODE, prompt: "a photo of a cake", ...{ seed: 4 }, ...more });

test("capabilities tell what each model does", async () => {
  const { models } = Capabilities.parse(await (await fetch(`${server.url}/api/capabilities`)).json());
  expect(models.map(({ id, tasks }) => [id, tasks.join()])).toEqual([
    ["turbo-mini", "generate,inpaint,extend,describe"],
    [CODE, "generate"],
  ]);
  expect(models[0].classes).toBeUndefined();
  expect(models[1]).toMatchObject({ resolution: 64, grid: 8, defaults: { steps: 6 } });
  expect(models[1].classes).toContain("cake");
});

test("a class is drawn as in this process, and the file says by how many drafted scales", async () => {
  const model = await loadLabelModel(CODE, { host: "inline", threads: 1 });
  try {
    const pixels = new Set<string>();
    for (const draft_scales of [2, 6]) {
      const { data } = await draw({ draft_scales });
      const file = bytesOf(data?.[0].b64_json);
      const { images } = await model.generateImage("cake", { seed: 4, draftScales: draft_scales });
      expect(await readPicture(file)).toEqual(resized(images[0], 256));
      expect(JSON.parse(readPngText(file).fewstep)).toMatchObject({ model: CODE, draftScales: draft_scales, steps: 6 });
      expect(data?.[0]).toMatchObject({ fewstep: { draft_scales, seed: 4, steps: 6 } });
      pixels.add(file.toString("base64"));
    }
    expect(pixels.size).toBe(2);
  } finally {
    await model[Symbol.asyncDispose]();
  }
});

test("scales are streamed as they are decided; requests at once get their own pictures", async () => {
  const stream = await client.images.generate({
    ...{ model: CODE, prompt: "cake", stream: true, partial_images: 5, ...{ seed: 4 } },
  });
  const shown: string[] = [];
  for await (const event of stream) shown.push(event.b64_json);
  expect(new Set(shown).size).toBe(6);
  const alone = await draw();
  expect(alone.data?.[0].b64_json).toBe(shown[5]);
  const together = await Promise.all([draw(), draw({ seed: 5 }), draw()]);
  const [a, b, c] = together.map(({ data }) => data?.[0].b64_json);
  expect([a, c]).toEqual([shown[5], shown[5]]);
  expect(b).not.toBe(a);
});

test("a job tells each scale with its side, and shows it", async () => {
  const body = { task: "generate", model: CODE, prompt: "cake", seed: 1, n: 2, preview: 5, cells: true };
  const started = await fetch(`${server.url}/api/jobs`, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  });
  const { events_url } = Job.parse(await started.json());
  const text = await (await fetch(server.url + events_url)).text();
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JobEvent.parse(JSON.parse(data)));
  const sides = events.flatMap((event) => (event.type === "step" ? [event.grid.width] : []));
  expect(sides).toEqual([1, 2, 3, 4, 6, 8]);
  expect(events.filter(({ type }) => type === "partial")).toHaveLength(10);
  const last = events.at(-1);
  const { timings } = last?.type === "done" ? last.result : { timings: {} as Record<string, number> };
  expect(timings.model).toBeCloseTo(timings.drafter + (timings.refiner ?? 0));
});

test("what a model cannot do is refused, what means nothing to it is said", async () => {
  const refused = (asked: Promise<unknown>) =>
    asked.then(
      () => "answered",
      ({ status, param, message }) => `${status} ${param} ${message}`,
    );
  expect(await refused(draw({ prompt: "two cakes" }))).toMatch(/^400 prompt .*knows no class.*cake/s);
  expect(await refused(draw({ draft_scales: 7 }))).toMatch(/^400 draft_scales .*0 to 6/s);
  expect(await refused(draw({ draft_scales: 1.5 }))).toMatch(/^400 draft_scales/);
  const image = await toFile(bytesOf((await draw()).data?.[0].b64_json), "apple.png", { type: "image/png" });
  expect(await refused(client.images.edit({ model: CODE, prompt: "cake", image }))).toMatch(
    /^400 model .*draws classes/,
  );
  const asked = client.chat.completions.create({ model: CODE, messages: [{ role: "user", content: "hello" }] });
  expect(await refused(asked)).toMatch(/^400 /);

  const warned = async (more: object) => (await draw(more)) as unknown as { fewstep: { warnings: string[] } };
  expect((await warned({ steps: 4, temperature: 0.5 })).fewstep.warnings).toEqual([
    "steps was left out: this model draws scale by scale",
    "temperature was left out: this model draws scale by scale",
  ]);
  const denoising = ["draft_scales was left out: this model draws by denoising"];
  const other = { model: "turbo-mini", prompt: "a cake", ...{ steps: 1, draft_scales: 3 } };
  expect((await warned(other)).fewstep.warnings).toEqual(denoising);
  const edited = await client.images.edit({ ...other, image, ...{ fewstep: JSON.stringify({ right: 64 }) } });
  expect(edited).toMatchObject({ fewstep: { warnings: denoising } });
});
