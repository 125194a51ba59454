// Looks on while a picture is decided, and stops when the model is sure.   node examples/watch-steps.mjs [MODEL]

import { writeFile } from "node:fs/promises";
import { encodePicture, loadModel } from "fewstep";

const model = await loadModel(process.argv[2]);
const mean = (numbers) => numbers.reduce((a, b) => a + b) / numbers.length;

for await (const step of model.generateImage("a photo of a red apple", { steps: 12, seed: 3 })) {
  const open = step.mask[0].filter(Boolean).length;
  const sure = mean(step.confidence[0]);
  console.log(`step ${step.index}/${step.total}: ${open} cells open, ${(100 * sure).toFixed(0)} % sure`);
  await writeFile(`apple-${step.index}.png`, await encodePicture(await step.image()));
  // Nothing is computed that nobody asks for: leaving the loop ends the work.
  if (sure > 0.95) break;
}
await model.dispose();
