// Pictures of Show-o with guidance, Turbo* and Turbo without, at 16, 8, 4 and 2 steps: GenEval, seconds, a plot, strips.
// node runs/table-main.mjs      (environment: runs/tables.mjs)

import { enlarge, plotCurves, sheet } from "fewstep/image";
import { best, geneval, models, open, SCORES, save, say, scores, section, share, table } from "./tables.mjs";

const STEPS = [16, 8, 4, 2];
/** The likeliest tokens, the surest cells first: what few steps come out best with (docs/LOG.md), one picture for a prompt. */
const surest = { topK: 1, temperature: 0 };
const kinds = [
  { name: `Show-o, guidance ${best}`, model: models.teacher, guidance: best, paper: "Show-o10" },
  { name: `Show-o, guidance ${best}, surest`, model: models.teacher, guidance: best, ...surest, paper: "Show-o5" },
  { name: "Show-o taught to do without guidance", model: models.unguided, guidance: 0, ...surest },
  { name: "Turbo*, no guidance", model: models.star, guidance: 0, ...surest, paper: "Turbo*" },
  { name: "Turbo, no guidance", model: models.turbo, guidance: 0, ...surest, paper: "Turbo" },
];
/** Table 6 of the paper, 256 px: average and seconds on an RTX 4090. */
const PAPER = {
  16: { "Show-o10": [0.591, 0.44], "Show-o5": [0.571, 0.44], "Turbo*": [0.543, 0.27], Turbo: [0.562, 0.27] },
  8: { "Show-o10": [0.54, 0.24], "Show-o5": [0.53, 0.24], "Turbo*": [0.518, 0.15], Turbo: [0.552, 0.15] },
  4: { "Show-o10": [0.425, 0.14], "Show-o5": [0.429, 0.14], "Turbo*": [0.504, 0.09], Turbo: [0.523, 0.09] },
  2: { "Show-o10": [0.206, 0.08], "Show-o5": [0.229, 0.08], "Turbo*": [0.439, 0.06], Turbo: [0.494, 0.06] },
};

const rows = [];
const curves = kinds.map(({ name }) => ({ name, x: [], y: [] }));
let ceilings;
for (const steps of STEPS)
  for (const [i, { name, model, guidance, topK, temperature, paper }] of kinds.entries()) {
    const result = await geneval(model, { steps, guidance, topK, temperature });
    ceilings = result;
    const [average, seconds] = PAPER[steps][paper] ?? [];
    rows.push([steps, name, ...scores(result), result.secondsPerPicture.toFixed(3), share(average), seconds ?? ""]);
    curves[i].x.push(steps);
    curves[i].y.push(result.average);
  }

say("collaborative denoising: the teacher draws the first steps with guidance, Turbo the rest");
for (const [steps, drafted] of [
  [8, 2],
  [4, 1],
  [2, 1],
]) {
  const draft = { model: models.teacher, steps: drafted, guidance: best };
  const result = await geneval(models.turbo, { steps, guidance: 0, ...surest, draft });
  rows.push([steps, `Show-o ${drafted}, then Turbo`, ...scores(result), result.secondsPerPicture.toFixed(3), "", ""]);
}

await save(
  "quality-by-steps",
  plotCurves({ title: "GenEval average by denoising steps", series: curves, xLabel: "steps" }),
);
say("strips");
const strip = [];
const PROMPTS = ["a photo of two red cars", "a photo of a dog left of a cat", "a photo of a blue umbrella"];
for (const { name, model, guidance, topK, temperature } of [kinds[0], kinds.at(-1)]) {
  const loaded = await open(model);
  for (const prompt of PROMPTS)
    for (const steps of STEPS) {
      const { images } = await loaded.generateImage(prompt, {
        steps,
        guidance,
        seed: 1,
        topK,
        temperature,
      });
      strip.push({
        picture: enlarge(images[0], 128, 128),
        caption: `${name.split(",")[0]}, ${steps} steps: ${prompt}`,
      });
    }
}
await save(
  "steps-of-turbo",
  sheet(
    strip.map((s) => s.picture),
    { columns: 4, gap: 4, captions: strip.map((s) => s.caption) },
  ),
);

const { ceiling, tokenizerCeiling } = ceilings;
const above = [
  ["", "ceiling: scenes as they should be", share(ceiling.average), ...SCORES.slice(1).map(() => ""), "", "", ""],
  [
    "",
    "ceiling: the same through the picture tokenizer",
    share(tokenizerCeiling.average),
    ...SCORES.slice(1).map(() => ""),
    "",
    "",
    "",
  ],
];
await section(
  "table:main",
  "Turbo: pictures by steps",
  [
    `\`node runs/table-main.mjs\`: ${ceilings.images} pictures for each row, judged by the detector; "surest" and all students take the likeliest token of each cell and decide the surest cells first; Turbo* is ${models.star}, Turbo ${models.turbo} (runs/README.md). Seconds are those of each row's own run, some beside other work; \`npm run bench -- generate\` times steps side by side. The paper's second Show-o has half the guidance. The last columns are the paper's Table 6 (256 px, an RTX 4090).`,
    table(["steps", "model", ...SCORES, "s a picture", "paper: average", "paper: s"], [...above, ...rows]),
    "![GenEval average by steps](pictures/quality-by-steps.png)",
    "![Show-o and Turbo at 16, 8, 4 and 2 steps](pictures/steps-of-turbo.png)",
  ].join("\n\n"),
);
