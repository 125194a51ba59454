// The official client of OpenAI with a server of this machine: npx fewstep serve, then
// node examples/openai-client.mjs [URL]
import { writeFile } from "node:fs/promises";
import OpenAI from "openai";

const baseURL = process.argv[2] ?? "http://127.0.0.1:7117/v1";
const client = new OpenAI({ baseURL, apiKey: "none" });
const [model] = (await client.models.list()).data;

// Partial pictures are real denoising steps. `seed` and `steps` are extensions.
const prompt = "a photo of two red cars";
const stream = await client.images.generate({ prompt, stream: true, partial_images: 3, seed: 7, steps: 12 });
let picture;
for await (const { type, b64_json } of stream) {
  picture = b64_json;
  console.log(type, b64_json.length);
}
await writeFile("cars.png", Buffer.from(picture, "base64"));

const url = `data:image/png;base64,${picture}`;
const content = [
  { type: "text", text: "how many cars are there?" },
  { type: "image_url", image_url: { url } },
];
const answer = await client.chat.completions.create({ model: model.id, messages: [{ role: "user", content }] });
console.log(answer.choices[0].message.content);
