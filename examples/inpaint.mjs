// Draws a picture, then its right half anew, four times.   node examples/inpaint.mjs [MODEL]
import { loadModel } from "fewstep";

const model = await loadModel(process.argv[2]);
const { images } = await model.generateImage("a photo of a dog left of a cat", { seed: 1 });
const [picture] = images;
await picture.save("before.png", { size: 256 });

// A mask has one byte a pixel, 255 where to draw. A PNG file does as well.
const { width, height } = picture;
const data = Uint8Array.from({ length: width * height }, (_, i) => (i % width < width / 2 ? 0 : 255));
const redrawn = await model.inpaint(picture, { width, height, data }, "a photo of a dog left of a pizza", {
  n: 4,
  seed: 1,
});
for (const [i, image] of redrawn.images.entries()) await image.save(`after-${i + 1}.png`, { size: 256 });
await model.dispose();
