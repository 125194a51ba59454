// The AI SDK (package ai, version 6 or 7), with a server or without one.
// node examples/ai-sdk.mjs [URL]      with a URL such as http://127.0.0.1:7117/v1
import { writeFile } from "node:fs/promises";
import { generateImage, streamText } from "ai";
import { createFewstep } from "fewstep/ai-sdk";

// Without a URL the model runs in a process of its own that this one starts.
const fewstep = createFewstep({ baseURL: process.argv[2] });
const model = process.argv[3] ?? "turbo-mini";

const { image } = await generateImage({
  model: fewstep.image(model),
  prompt: "a photo of a red car left of a blue bird",
  size: "256x256",
  seed: 7,
  providerOptions: { fewstep: { steps: 12, guidance: 1 } },
});
await writeFile("car.png", image.uint8Array);

const content = [{ type: "image", image: image.uint8Array }];
const { textStream } = streamText({ model: fewstep(model), messages: [{ role: "user", content }] });
for await (const text of textStream) process.stdout.write(text);
console.log();
await fewstep.dispose();
