// Packs the newest checkpoints into weights/show-o-mini: node runs/pack-show-o-mini.mjs
//   [DECODER_RUN] [SHOWO_RUN] [FOLDER] [TOKENIZER_RUN]      (a decoder's run that is gone: FILE.safetensors@STEPS; a tokenizer's: @STEPS)
// The model card takes its figures from FOLDER/figures.json (written by `fewstep eval`), if there are any.
import { existsSync, readFileSync } from "node:fs";
import { saveModel } from "fewstep/models";
import { MAGVIT_PRESETS } from "fewstep/models/magvit";
import { DOMAINS, words } from "fewstep/scenes";
import { CAPTION_QUESTION, exportWeights } from "fewstep/train";
import { newestCheckpoint, tensorsOf } from "./checkpoints.mjs";

const [
  decoderRun = "out/decoder",
  showoRun = "out/showo",
  folder = "weights/show-o-mini",
  tokenizerRun = "out/tokenizer",
] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Averaged weights of a run's newest checkpoint, or of FILE.safetensors@STEPS, and how many steps it took. */
async function newest(named) {
  const [run, told] = named.split("@");
  if (told) return { steps: Number(told), weights: new Map(Object.entries(tensorsOf(run))) };
  const { name, step } = newestCheckpoint(run);
  await exportWeights(`${run}/checkpoints/${name}`, `${run}/weights.safetensors`);
  return { steps: step, weights: new Map(Object.entries(tensorsOf(`${run}/weights.safetensors`))) };
}

const tokenizerSteps = Number(tokenizerRun.split("@")[1] ?? newestCheckpoint(tokenizerRun).step);
const pictures = await newest(decoderRun);
const showo = await newest(showoRun);
const run = json(`${showoRun}/config.json`);
const { config } = run.config;
/** Of the run without cell embeddings, from which SHOWO_RUN started, all phases; the 700 steps between them had the first's mix. */
const before = json("runs/show-o-mini.json");
const runs = [
  { phases: before, steps: before.at(-1).until },
  { phases: [{ until: 700, mix: "14/1/4/0.3/4" }], steps: 700 },
  { phases: json("runs/show-o-mini-cells.json"), steps: showo.steps },
];
/** Rows of each task that all phases together have shown. */
const seen = [0, 1, 2].map((task) => {
  let rows = 0;
  for (const { phases, steps } of runs) {
    let from = 0;
    for (const { until, mix } of phases) {
      const [t2i, lm, mmu, , dialogues] = mix.split("/").map(Number);
      rows += Math.max(0, Math.min(until, steps) - from) * [t2i, lm, mmu * dialogues][task];
      from = until;
    }
  }
  return rows.toLocaleString("en");
});
const steps = runs.reduce((sum, run) => sum + run.steps, 0);
const figures = existsSync(`${folder}/figures.json`) ? json(`${folder}/figures.json`) : undefined;
const card = `---
library_name: fewstep
license: apache-2.0
pipeline_tag: any-to-any
---
# show-o-mini

A small Show-o that draws scenes of emoji objects from a sentence and answers questions about them, trained from nothing
by the code of this repository: 64x64 pixels, 8x8 tokens of a ${config.codebookSize.toLocaleString("en")}-entry codebook, ${config.layers} layers of width ${config.hiddenSize}. Other than the published models it has embeddings of the cells of a picture.

| | |
|---|---|
| Data | seeded emoji scenes, domain \`quarters\` (objects fill quarters of the picture; anywhere on a lattice, \`easy\`, before step 11100): ${DOMAINS.quarters.classes.length} classes, ${DOMAINS.quarters.colors.length} colours, ${DOMAINS.quarters.backgrounds.length} backgrounds; about a fifth of the class pairs and a twentieth of the (colour, class) pairs never occur in training (up to step 7900 a fifth of both); prompts of two objects name the left or upper one first in the last 1500 steps |
| Art | Noto Emoji, Apache-2.0 (see NOTICE) |
| Picture tokenizer | ${tokenizerSteps} steps of 8 pictures, then the decoder alone for ${pictures.steps} steps |
| Transformer | ${steps} steps: ${seen[0]} pictures to draw, ${seen[2]} dialogues, ${seen[1]} plain texts |
| Machine | 2 virtual CPU cores; commands in runs/README.md |
${figures ? figures.rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n") + "\n" : ""}
It knows these words and no others: ${words(DOMAINS.quarters)
  .filter((word) => word !== "?")
  .join(", ")}.
`;
await saveModel(folder, {
  config: {
    model: "show-o-mini",
    showo: config,
    magvit: MAGVIT_PRESETS.mini,
    defaults: { steps: 16, guidance: 1 },
    text: { captionQuestion: CAPTION_QUESTION },
    words: [...new Set([...words(DOMAINS.quarters), ...CAPTION_QUESTION.replace(".", "").split(" ")])].sort(),
  },
  showo: showo.weights,
  magvit: pictures.weights,
  tokenizer: json(existsSync(`${showoRun}/tokenizer.json`) ? `${showoRun}/tokenizer.json` : `${folder}/tokenizer.json`),
  card,
});
console.log(`${folder}: tokenizer decoder at step ${pictures.steps}, transformer after ${steps} steps`);
