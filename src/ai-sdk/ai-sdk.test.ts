/** The provider in both current major versions of the package `ai`, against a server and with models of its own. */
import * as ai7 from "ai";
import * as ai6 from "ai6";
import { afterAll, expect, test } from "vitest";
import { PATIENT, tinyServer } from "../../test/server.ts";
import { encodePicture, picture, readPicture } from "../image/index.ts";
import { createFewstep } from "./index.ts";
import { sseData } from "./sse-data.ts";

const tiny = tinyServer();
const remote = () => createFewstep({ baseURL: `${tiny.url}/v1` });
const own = createFewstep({ models: ["show-o-mini"] });
afterAll(() => own.dispose());
// The newest version warns where a model speaks the interface of the last one.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** The functions have the same names and shapes in both. */
const VERSIONS = [
  ["ai 7", ai7],
  ["ai 6", ai6 as unknown as typeof ai7],
] as const;

test.each(VERSIONS)("%s draws: settings arrive, warnings and usage come back", async (_, { generateImage }) => {
  const { images, warnings, usage, providerMetadata, responses } = await generateImage({
    model: remote().image("tiny"),
    ...{ prompt: "a red zebra", n: 2, size: "64x64", seed: 5, aspectRatio: "2:1" },
    providerOptions: { fewstep: { steps: 3, guidance: 0, schedule: "linear" } },
  });
  expect(images).toHaveLength(2);
  expect(await readPicture(images[0].uint8Array)).toMatchObject({ width: 64, height: 64 });
  expect(images[0].base64).not.toBe(images[1].base64);
  expect(providerMetadata.fewstep.images).toMatchObject([
    { seed: 5, steps: 3, guidance_scale: 0, schedule: "linear" },
    { seed: 6 },
  ]);
  expect(warnings.map((one) => (one.type === "other" ? one.message : "feature" in one && one.feature))).toEqual([
    "aspectRatio",
    "words that this small model never learnt: zebra",
  ]);
  expect(usage).toMatchObject({ outputTokens: 32 });
  expect(responses[0].modelId).toBe("tiny");
});

test.each(VERSIONS)(
  "%s edits: files and a mask become inpainting, margins extrapolation",
  async (_, { generateImage }) => {
    const image = Buffer.from(await encodePicture(picture(32, 32, [200, 30, 30])));
    const model = remote().image("tiny");
    const white = Buffer.from(await encodePicture(picture(32, 32)));
    const masked = await generateImage({ model, prompt: { images: [image], text: "a red car", mask: white }, seed: 1 });
    expect(masked.providerMetadata.fewstep.images).toMatchObject([{ task: "inpaint" }]);
    const providerOptions = { fewstep: { left: 32, steps: 2 } };
    const wider = await generateImage({ model, prompt: { images: [image], text: "" }, providerOptions, seed: 1 });
    expect(wider.providerMetadata.fewstep.images).toMatchObject([{ task: "extend" }]);
    expect(await readPicture(wider.image.uint8Array)).toMatchObject({ width: 512, height: 256 });
  },
);

const question = (image: Uint8Array) => [
  {
    role: "user" as const,
    content: [
      { type: "text" as const, text: "is there a dog?" },
      { type: "image" as const, image },
    ],
  },
];

test.each(VERSIONS)("%s answers about a picture, whole and streamed", async (_, { generateText, streamText }) => {
  const image = await encodePicture(picture(32, 32, [9, 99, 200]));
  const settings = { model: remote()("tiny"), messages: question(image), seed: 1, maxOutputTokens: 9 };
  const whole = await generateText(settings);
  expect(whole.finishReason).toBe("length");
  expect(whole.usage).toMatchObject({ outputTokens: 9 });
  expect(whole.providerMetadata?.fewstep).toMatchObject({ tokens: 9, seed: 1 });
  const streamed = streamText(settings);
  const deltas: string[] = [];
  for await (const delta of streamed.textStream) deltas.push(delta);
  expect(deltas.join("")).toBe(whole.text);
  expect(await streamed.finishReason).toBe("length");
  expect((await streamed.usage).inputTokens).toBe(whole.usage.inputTokens);
});

test.each(VERSIONS)(
  "%s knows the errors as its own, and aborts",
  async (_, { generateImage, APICallError, NoSuchModelError }) => {
    const failed = await generateImage({ model: remote().image("other"), prompt: "x", maxRetries: 0 }).catch((e) => e);
    expect(APICallError.isInstance(failed)).toBe(true);
    expect(failed).toMatchObject({
      statusCode: 404,
      isRetryable: false,
      message: expect.stringMatching(/no model "other"/),
    });
    let error: unknown;
    try {
      remote().embeddingModel("tiny");
    } catch (thrown) {
      error = thrown;
    }
    expect(NoSuchModelError.isInstance(error)).toBe(true);
    const controller = new AbortController();
    const providerOptions = { fewstep: { steps: 256 } };
    const { signal: abortSignal } = controller;
    const asked = generateImage({ model: remote().image("tiny"), prompt: "x", n: 8, providerOptions, abortSignal });
    setTimeout(() => controller.abort(), 50);
    await expect(asked).rejects.toThrow(/abort/i);
    await expect.poll(() => tiny.metric("fewstep_running"), PATIENT).toBe(0);
  },
);

test("without a server the models are served by this process", async () => {
  const { image, providerMetadata } = await ai7.generateImage({
    model: own.imageModel("show-o-mini"),
    ...{ prompt: "two red cars", seed: 7, providerOptions: { fewstep: { steps: 2 } } },
  });
  expect(providerMetadata.fewstep.images).toMatchObject([{ model: "show-o-mini", seed: 7, steps: 2 }]);
  const { text } = await ai7.generateText({ model: own("show-o-mini"), messages: question(image.uint8Array), seed: 1 });
  expect(text).not.toBe("");
});

test("events that come in pieces are the events that were sent", async () => {
  const bytes = new TextEncoder().encode(
    ': hello\n\nevent: a\ndata: {"x":"\u00e9"}\n\ndata: 1\ndata: 2\r\n\r\ndata: [DONE]\n\n',
  );
  for (const step of [1, 3, 1000]) {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += step) controller.enqueue(bytes.subarray(at, at + step));
        controller.close();
      },
    });
    const data: string[] = [];
    for await (const one of sseData(stream)) data.push(one);
    expect(data).toEqual(['{"x":"\u00e9"}', "1\n2", "[DONE]"]);
  }
});
