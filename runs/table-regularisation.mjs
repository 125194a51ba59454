// With and without regularisation: node runs/table-regularisation.mjs      (environment: runs/tables.mjs and runs/turbo-settings.mjs)
// Collapse is let happen here, so that its result can be measured.
import { ablate, COLUMNS } from "./ablation.mjs";
import { geneval, models, scores, section, table } from "./tables.mjs";
import { turboConfig } from "./turbo-settings.mjs";

const { weights, stages, trajectories } = turboConfig("any");
const [{ steps, passes }] = stages;
const scaled = (factor) => ({
  leastDiversity: 0,
  weights: {
    ...weights,
    imageRegularisation: factor * weights.imageRegularisation,
    textRegularisation: factor * weights.textRegularisation,
  },
});
const start = scores(await geneval(models.unguided, { steps: 4, guidance: 0, temperature: 1 }))[0];
const rows = await ablate([
  ["no regularisation", scaled(0), ["2.85", "-2.278", ".184"]],
  ["regularisation", scaled(1), ["10.57", ".586", ".307"]],
]);
await section(
  "table:regularisation",
  "Turbo: regularisation",
  [
    `\`node runs/table-regularisation.mjs\`: students of the first stage (${steps} steps, ${trajectories.pictures} pictures followed in ${passes} passes) at 4 steps without guidance, where their start has ${start}. Variety: perplexity of what a student predicts over that of its labels, in its last steps. The last columns are the paper's Table 3 (256 px; its weights are not known, the first is without): passes for 16 tokens, ImageReward, CLIP score.`,
    table(["weights", ...COLUMNS, "paper: passes", "paper: IR", "paper: CS"], rows),
  ].join("\n\n"),
);
