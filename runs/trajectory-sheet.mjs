// What a teacher's trajectories end in, to look at before a student learns from them:
// node runs/trajectory-sheet.mjs FILE.png [TEACHER] [COUNT]      (NOISES=0 for greedy ones, GUIDANCE: runs/turbo-settings.mjs)
import { loadModel } from "fewstep";
import { writeAtomic } from "fewstep/files";
import { encodePicture, enlarge, postprocess, sheet } from "fewstep/image";
import { imagePredictor } from "fewstep/models/showo";
import { DOMAINS, sketchScene } from "fewstep/scenes";
import { recordPictures } from "fewstep/train";
import { threads, turboConfig } from "./turbo-settings.mjs";

const [file = "out/trajectories.png", teacher = "weights/show-o-mini", count = "36"] = process.argv.slice(2);
const { stages, trajectories, data, seed } = turboConfig(teacher);
const model = await loadModel(teacher, { host: "inline", threads });
const { imageTokens } = model.config.showo;
const side = Math.sqrt(imageTokens);
const prompts = Array.from(
  { length: Number(count) },
  (_, index) => sketchScene(DOMAINS[data.scenes], { seed: 0, index, split: "train" }).prompt,
);
const pictures = [];
for (let first = 0; first < prompts.length; first += 12) {
  const ids = prompts.slice(first, first + 12).map((prompt) => model.text.encode(prompt));
  const seeds = trajectories.noises ? ids.map((_, i) => seed + ((first + i) % trajectories.noises)) : undefined;
  const { guidance, passes } = stages[0];
  const { topK } = trajectories;
  const predictor = await imagePredictor(model.transformer, { prompts: ids, guidance });
  for (const { ids_L } of await recordPictures(predictor, ids, imageTokens, { passes, labels: 1, seeds, topK }))
    pictures.push(enlarge(postprocess(await model.tokenizer.decode(ids_L, side, side))[0], 128, 128));
}
await writeAtomic(file, await encodePicture(sheet(pictures, { columns: 9, gap: 4, captions: prompts }), "png"));
console.log(file);
