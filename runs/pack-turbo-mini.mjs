// Packs a student as weights/turbo-mini, half precision, with its card: node runs/pack-turbo-mini.mjs [STUDENT] [FOLDER]
// STUDENT is the folder of a model (runs/train-guided.mjs, runs/train-turbo.mjs); STEPS, TOP_K and TEMPERATURE are what drawing
// uses unless told otherwise. The card takes its figures from FOLDER/figures.json, if there are any.
import { existsSync, readFileSync } from "node:fs";
import { saveModel } from "fewstep/models";
import { tensorsOf } from "./checkpoints.mjs";

const [student = "out/guided/model", folder = "weights/turbo-mini"] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const tensors = (path) => new Map(Object.entries(tensorsOf(path)));
const { STEPS = 16, TOP_K = 1, TEMPERATURE = 1 } = process.env;
const defaults = { steps: Number(STEPS), guidance: 0, topK: Number(TOP_K), temperature: Number(TEMPERATURE) };
const figures = existsSync(`${folder}/figures.json`) ? json(`${folder}/figures.json`) : { rows: [] };
const card = `---
library_name: fewstep
license: apache-2.0
pipeline_tag: any-to-any
---
# turbo-mini

show-o-mini, taught to draw without guidance what it draws with it, and to tell several tokens of an answer in one pass. It
takes the likeliest token of each cell; the seed decides in which order (\`topK: 4096\` draws from all: more variety, fewer
right; \`temperature: 0\` takes the surest cells first, so that four steps are enough and each prompt has one picture). Made
from \`weights/show-o-mini\` on fresh scenes and on states of pictures, its teacher's and then its own (runs/README.md), with the same picture tokenizer and the same words.
docs/RESULTS.md has both models side by side, by steps.

${figures.rows.map(([name, value]) => `- ${name}: ${value}`).join("\n")}
`;
await saveModel(folder, {
  config: { ...json(`${student}/config.json`), model: "turbo-mini", defaults },
  showo: tensors(`${student}/showo.safetensors`),
  magvit: tensors(`${student}/magvit.safetensors`),
  tokenizer: json(`${student}/tokenizer.json`),
  card,
});
console.log(folder);
