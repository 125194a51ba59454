// GenEval of turbo-mini beside show-o-mini, by steps: node runs/turbo-mini-results.mjs      (environment: runs/tables.mjs)
// Writes docs/RESULTS.md and weights/turbo-mini/figures.json, which the model card takes.
import { writeJson } from "fewstep/files";
import { enlarge, sheet } from "fewstep/image";
import { DOMAINS, genevalPrompts } from "fewstep/scenes";
import { best, captions, geneval, models, open, SCORES, save, say, scores, section, share, table } from "./tables.mjs";

const STEPS = [16, 8, 4, 2];
const guided = { name: `show-o-mini, guidance ${best}`, model: models.teacher, guidance: best };
const turbo = { name: "turbo-mini", model: models.unguided, guidance: 0, topK: 1 };
/** The surest cells first: one picture for each prompt. */
const calm = { temperature: 0 };
const kinds = [
  ...STEPS.map((steps) => ({ ...guided, steps })),
  ...[8, 4].map((steps) => ({
    ...guided,
    steps,
    name: `${guided.name}, likeliest tokens, no noise`,
    topK: 1,
    ...calm,
  })),
  { ...guided, name: "show-o-mini, no guidance", steps: 16, guidance: 0 },
  ...STEPS.map((steps) => ({ ...turbo, steps })),
  ...[8, 4, 2].map((steps) => ({ ...turbo, steps, name: "turbo-mini, no noise", ...calm })),
];
const rows = [];
const drawn = [];
let judged;
for (const kind of kinds) {
  const { name, steps, model, guidance } = kind;
  judged = await geneval(model, kind);
  const passes = steps * (guidance ? 2 : 1);
  rows.push([name, steps, passes, ...scores(judged), judged.secondsPerPicture.toFixed(3)]);
  if (name === "turbo-mini") drawn.push([`GenEval, ${steps} steps`, scores(judged)[0]]);
}
say("captions");
const facts = {
  teacher: captions(models.teacher, "ar").facts,
  turbo: captions(models.unguided, "ar").facts,
};
say("a sheet of every fifteenth prompt");
const prompts = genevalPrompts(DOMAINS.quarters)
  .filter((_, i) => i % 15 === 0)
  .slice(0, 36)
  .map(({ prompt }) => prompt);
const student = await open(models.unguided);
const pictures = [];
for (const [i, prompt] of prompts.entries()) {
  const { images } = await student.generateImage(prompt, { seed: i });
  pictures.push(enlarge(images[0], 128, 128));
}
await save("turbo-mini", sheet(pictures, { columns: 9, gap: 4, captions: prompts }));
await writeJson(`${models.unguided}/figures.json`, {
  rows: [...drawn, ["Captions with all facts right", share(facts.turbo)]],
});
await section(
  "eval:turbo-mini",
  "turbo-mini: without guidance",
  [
    `\`node runs/turbo-mini-results.mjs\`: ${judged.images} pictures for each row, judged by the detector. Without noise in the order of decisions a prompt has one picture, whatever the seed. A pass is one row through the transformer; guidance takes two for each step. Scenes drawn of the facts reach ${share(judged.ceiling.average)}, those scenes through the picture tokenizer ${share(judged.tokenizerCeiling.average)}.`,
    table(["model", "steps", "passes", ...SCORES, "s a picture"], rows),
    `Captions with all facts right: ${share(facts.turbo)}, show-o-mini ${share(facts.teacher)}.`,
    "![Every fifteenth prompt of GenEval, drawn by turbo-mini](pictures/turbo-mini.png)",
  ].join("\n\n"),
);
