/** The official client of OpenAI against a real server with the model of the package. */
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodePicture, type Picture, picture, readPicture, readPngText } from "../image/index.ts";
import { type Server, startServer } from "./index.ts";
import { Capabilities } from "./protocol.ts";

let server: Server;
let client: OpenAI;
beforeAll(async () => {
  server = await startServer({ port: 0, threads: 1 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(() => server.close());

const MODEL = "turbo-mini";
const bytesOf = (b64: string | undefined): Buffer => Buffer.from(b64 ?? "", "base64");
const metric = async (line: string): Promise<number> => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((one) => one.startsWith(`${line} `))
      ?.split(" ")[1] ?? 0,
  );
};

/** Mean difference of channels. */
const distance = (a: Picture, b: Picture): number =>
  a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]), 0) / a.data.length;

/** A picture of the model, as the file that a client would send. */
const drawn = async (prompt: string, seed: number): Promise<Buffer> => {
  const { data } = await client.images.generate({ model: MODEL, prompt, ...{ seed, steps: 8 }, size: "256x256" });
  return bytesOf(data?.[0].b64_json);
};

test("generate: pictures that carry their settings, the same for the same seed", async () => {
  const ask = () =>
    client.images.generate({ model: MODEL, prompt: "two red cars", n: 2, ...{ seed: 7, steps: 3, guidance_scale: 0 } });
  const [made, again] = [await ask(), await ask()];
  expect(made.data).toHaveLength(2);
  expect(again.data).toEqual(made.data);
  expect(made.data?.[0].b64_json).not.toBe(made.data?.[1].b64_json);
  const file = bytesOf(made.data?.[1].b64_json);
  expect(JSON.parse(readPngText(file).fewstep)).toMatchObject({
    prompt: "two red cars",
    seed: 8,
    steps: 3,
    guidance: 0,
  });
  expect(await readPicture(file)).toMatchObject({ width: 256, height: 256 });
  const { models } = Capabilities.parse(await (await fetch(`${server.url}/api/capabilities`)).json());
  const output_tokens = 2 * (models[0].grid ?? 0) ** 2;
  expect(made).toMatchObject({ size: "256x256", output_format: "png", usage: { output_tokens } });
  expect(made._request_id).toMatch(/^[0-9a-f-]{36}$/);
});

test("formats and sizes", async () => {
  const made = await client.images.generate({
    ...{ model: MODEL, prompt: "a cat", size: "512x512", response_format: "url" },
    ...{ output_format: "webp", output_compression: 40, seed: 1, steps: 1 },
  });
  const url = made.data?.[0].url ?? "";
  expect(url.slice(0, 23)).toBe("data:image/webp;base64,");
  expect(await readPicture(bytesOf(url.slice(23)))).toMatchObject({ width: 512, height: 512 });
});

test("streaming shows real steps: distinct pictures that converge to the last", async () => {
  // Two colours at once are hard enough to be undecided for long.
  const options = { seed: 3, steps: 12 };
  const prompt = "a photo of a green bird and a purple airplane";
  const stream = await client.images.generate({
    ...{ model: MODEL, prompt, stream: true, partial_images: 11 },
    ...options,
  });
  const events: OpenAI.ImageGenStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  const partials = events.slice(0, -1);
  expect(partials).toMatchObject(
    Array.from({ length: 11 }, (_, i) => ({
      ...{ type: "image_generation.partial_image", partial_image_index: i, fewstep: { step: i + 1, total: 12 } },
    })),
  );
  const last = events[11];
  expect(last.type).toBe("image_generation.completed");
  expect(new Set(events.map(({ b64_json }) => b64_json)).size).toBeGreaterThan(8);
  const final = await readPicture(bytesOf(last.b64_json));
  const distances = await Promise.all(
    partials.map(async (one) => distance(await readPicture(bytesOf(one.b64_json)), final)),
  );
  const mean = (numbers: number[]) => numbers.reduce((a, b) => a + b) / numbers.length;
  expect(mean(distances.slice(-3))).toBeLessThan(0.8 * mean(distances.slice(0, 3)));
  const whole = await client.images.generate({ model: MODEL, prompt, ...options });
  expect(whole.data?.[0].b64_json).toBe(last.b64_json);
});

test("edit: a mask in either convention draws one part anew and keeps the other", async () => {
  const image = await drawn("a photo of a dog", 1);
  const half = (left: number, right: number) =>
    picture(
      64,
      64,
      Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (Math.floor(i / 3) % 64 < 32 ? left : right)),
    );
  const white = await encodePicture(half(0, 255));
  const sharp = (await import("sharp")).default;
  const alpha = await sharp(await encodePicture(half(90, 90)))
    .joinChannel(Buffer.from(Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 64 < 32 ? 255 : 0))), {
      raw: { width: 64, height: 64, channels: 1 },
    })
    .png()
    .toBuffer();
  const edit = async (mask: Uint8Array, right = "car") => {
    const made = await client.images.edit({
      ...{ model: MODEL, prompt: `a photo of a dog left of a ${right}`, size: "256x256", seed: 5, steps: 4, n: 4 },
      image: [await toFile(image, "in.png", { type: "image/png" })],
      mask: await toFile(mask, "mask.png", { type: "image/png" }),
    } as OpenAI.ImageEditParamsNonStreaming);
    return made.data!.map(({ b64_json }) => b64_json);
  };
  const [byWhite, byAlpha] = [await edit(white), await edit(alpha)];
  expect(byAlpha).toEqual(byWhite);
  // Something else: other pixels where the mask is, about the same where it is not. Some seeds draw nothing, not all do.
  const read = (files: readonly (string | undefined)[]) => Promise.all(files.map((file) => readPicture(bytesOf(file))));
  const [cars, clocks] = [await read(byWhite), await read(await edit(white, "clock"))];
  const change = (from: number, to: number) => {
    const inside = (i: number) => Math.floor(i / 3) % 256 >= from && Math.floor(i / 3) % 256 < to;
    const values = cars.flatMap(({ data }, k) =>
      [...data.keys()].filter(inside).map((i) => Math.abs(data[i] - clocks[k].data[i])),
    );
    return values.reduce((a, b) => a + b) / values.length;
  };
  expect(change(160, 256)).toBeGreaterThan(2 * change(0, 96));
});

test("edit: margins, a transparent border and a wider size extend the picture", async () => {
  const image = await drawn("two clocks on grass", 2);
  const edit = async (file: Uint8Array, more: object) => {
    const params = { model: MODEL, prompt: "", seed: 1, steps: 2, ...more };
    const made = await client.images.edit({
      ...params,
      image: await toFile(file, "in.png"),
    } as OpenAI.ImageEditParamsNonStreaming);
    return { ...(await readPicture(bytesOf(made.data?.[0].b64_json))), b64: made.data?.[0].b64_json };
  };
  const wider = await edit(image, { size: "512x256" });
  expect(wider).toMatchObject({ width: 512, height: 256 });
  const byMargins = await edit(image, { fewstep: JSON.stringify({ left: 128, right: 128 }) });
  expect(byMargins.b64).toBe(wider.b64);
  const sharp = (await import("sharp")).default;
  const clear = { r: 0, g: 0, b: 0, alpha: 0 };
  const bordered = await sharp(image)
    .ensureAlpha()
    .extend({ left: 128, right: 128, background: clear })
    .png()
    .toBuffer();
  expect((await edit(bordered, {})).b64).toBe(wider.b64);
  await expect(edit(image, {})).rejects.toMatchObject({ status: 400, code: "invalid_value", param: "mask" });
});

test("chat about a picture, whole and streamed: several tokens a chunk, the same text", async () => {
  const url = `data:image/png;base64,${(await drawn("a photo of two red cars", 7)).toString("base64")}`;
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    {
      role: "user",
      content: [
        { type: "text", text: "" },
        { type: "image_url", image_url: { url } },
      ],
    },
  ];
  const whole = await client.chat.completions.create({ model: MODEL, messages, ...{ seed: 1 } });
  const text = whole.choices[0].message.content ?? "";
  expect(text.split(" ").length).toBeGreaterThan(2);
  expect(whole.choices[0].finish_reason).toBe("stop");
  const stream = await client.chat.completions.create({
    ...{ model: MODEL, messages, stream: true as const, stream_options: { include_usage: true } },
    ...{ seed: 1 },
  });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.content || []);
  expect(deltas.join("")).toBe(text);
  expect(chunks.at(-1)?.usage).toEqual(whole.usage);
  expect(whole.usage?.prompt_tokens).toBeGreaterThan(64);
  const { fewstep } = whole as unknown as { fewstep: { passes: number; tokens: number } };
  expect(fewstep.passes).toBeLessThanOrEqual(fewstep.tokens);
  expect(deltas.length).toBeLessThanOrEqual(fewstep.passes);

  const word = text.split(" ")[1];
  const stopped = await client.chat.completions.create({ model: MODEL, messages, stop: [` ${word}`], ...{ seed: 1 } });
  expect(stopped.choices[0].message.content).toBe(text.slice(0, text.indexOf(` ${word}`)));
});

test("models and errors", async () => {
  const ids: string[] = [];
  for await (const { id } of client.models.list()) ids.push(id);
  expect(ids).toEqual([MODEL]);
  expect(await client.models.retrieve(MODEL)).toMatchObject({ object: "model", owned_by: "fewstep" });
  await expect(client.images.generate({ model: "dall-e-3", prompt: "x" })).rejects.toMatchObject({
    ...{ status: 404, code: "model_not_found", param: "model", type: "not_found_error" },
  });
  await expect(client.images.generate({ prompt: "x", n: 11 })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  await expect(client.images.generate({ prompt: "x", ...{ steps: 257 } })).rejects.toMatchObject({ param: "steps" });
  await expect(client.images.generate({ prompt: "x", ...{ top_k: 2 ** 20 } })).rejects.toMatchObject({
    param: "top_k",
  });
  await expect(client.images.generate({ prompt: "x", ...{ negative_prompt: "y" } })).rejects.toMatchObject({
    code: "unsupported_parameter",
  });
  const messages = [{ role: "user" as const, content: "hello" }];
  await expect(client.chat.completions.create({ model: MODEL, messages })).rejects.toThrow(/there is no picture/);
});

test("a client that leaves stops the work", async () => {
  const steps = `fewstep_steps_total{model="${MODEL}"}`;
  const before = await metric(steps);
  const stream = await client.images.generate({
    ...{ model: MODEL, prompt: "a cat", n: 1, stream: true, partial_images: 31 },
    ...{ steps: 256, size: "64x64" },
  });
  for await (const event of stream) {
    expect(event.type).toBe("image_generation.partial_image");
    stream.controller.abort();
  }
  await expect.poll(() => metric(`fewstep_running{model="${MODEL}"}`), { timeout: 20_000 }).toBe(0);
  const after = await metric(steps);
  // The first preview is step 8 of 256.
  expect(after - before).toBeGreaterThanOrEqual(8);
  expect(after - before).toBeLessThan(128);
});
