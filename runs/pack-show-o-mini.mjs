// Packs the newest checkpoints into weights/show-o-mini: node runs/pack-show-o-mini.mjs
//   [DECODER_RUN] [SHOWO_RUN] [FOLDER] [TOKENIZER_RUN]
// The model card takes its figures from FOLDER/figures.json (written by `fewstep eval`), if there are any.
import { existsSync, readFileSync } from "node:fs";
import { readSafetensors } from "fewstep/files";
import { saveModel } from "fewstep/models";
import { MAGVIT_PRESETS } from "fewstep/models/magvit";
import { DOMAINS, words } from "fewstep/scenes";
import { CAPTION_QUESTION, exportWeights } from "fewstep/train";
import { newestCheckpoint } from "./checkpoints.mjs";

const [
  decoderRun = "out/decoder",
  showoRun = "out/showo",
  folder = "weights/show-o-mini",
  tokenizerRun = "out/tokenizer",
] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Averaged weights of a run's newest checkpoint, and how many steps it took. */
async function newest(run) {
  const { name, step } = newestCheckpoint(run);
  await exportWeights(`${run}/checkpoints/${name}`, `${run}/weights.safetensors`);
  const file = readSafetensors(`${run}/weights.safetensors`);
  return { steps: step, weights: new Map(file.names.map((name) => [name, file.float32(name)])) };
}

const pictures = await newest(decoderRun);
const showo = await newest(showoRun);
const run = json(`${showoRun}/config.json`);
const { config } = run.config;
/** Rows of each task that all phases together have shown. */
const seen = [0, 1, 2].map((task) => {
  let from = 0;
  let rows = 0;
  for (const { until, mix } of json("runs/show-o-mini.json")) {
    const [t2i, lm, mmu, , dialogues] = mix.split("/").map(Number);
    const steps = Math.max(0, Math.min(until, showo.steps) - from);
    rows += steps * [t2i, lm, mmu * dialogues][task];
    from = until;
  }
  return rows.toLocaleString("en");
});
const figures = existsSync(`${folder}/figures.json`) ? json(`${folder}/figures.json`) : undefined;
const card = `---
library_name: fewstep
license: apache-2.0
pipeline_tag: any-to-any
---
# show-o-mini

A small Show-o that draws scenes of emoji objects from a sentence and answers questions about them, trained from nothing
by the code of this repository: 64x64 pixels, 8x8 tokens of a ${config.codebookSize.toLocaleString("en")}-entry codebook, ${config.layers} layers of width ${config.hiddenSize}.

| | |
|---|---|
| Data | seeded emoji scenes, domain \`quarters\` (objects fill quarters of the picture; anywhere on a lattice, \`easy\`, before step 11100): ${DOMAINS.quarters.classes.length} classes, ${DOMAINS.quarters.colors.length} colours, ${DOMAINS.quarters.backgrounds.length} backgrounds; about a fifth of the class pairs and a twentieth of the (colour, class) pairs never occur in training (up to step 7900 a fifth of both) |
| Art | Noto Emoji, Apache-2.0 (see NOTICE) |
| Picture tokenizer | ${newestCheckpoint(tokenizerRun).step} steps of 8 pictures, then the decoder alone for ${pictures.steps} steps |
| Transformer | ${showo.steps} steps: ${seen[0]} pictures to draw, ${seen[2]} dialogues, ${seen[1]} plain texts |
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
  tokenizer: json(`${showoRun}/tokenizer.json`),
  card,
});
console.log(`${folder}: tokenizer decoder at step ${pictures.steps}, transformer at step ${showo.steps}`);
