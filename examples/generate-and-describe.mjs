// A sentence becomes a picture, the picture a sentence.   node examples/generate-and-describe.mjs [MODEL]
import { loadModel } from "fewstep";

const model = await loadModel(process.argv[2]);
const { images, seed, timings } = await model.generateImage("a photo of two blue cars", { seed: 7 });
await images[0].save("cars.png", { size: 256 });
console.log(`cars.png, seed ${seed}, ${timings.total} ms`);

const { text } = await model.describe(images[0]);
console.log(`It shows ${text}.`);
const answer = await model.describe("cars.png", "how many cars are there?");
console.log(`How many cars are there? ${answer.text}`);
await model.dispose();
