// All weights or low-rank additions: node runs/table-lora.mjs      (environment: runs/tables.mjs and runs/turbo-settings.mjs)
import { ablate, COLUMNS } from "./ablation.mjs";
import { section, table } from "./tables.mjs";
import { turboConfig } from "./turbo-settings.mjs";

const {
  stages: [{ steps, passes }],
  trajectories,
} = turboConfig("any");

const lora = { rank: 16, alpha: 32, layers: ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"] };
const rows = await ablate([
  ["all weights", {}, ["10.57", ".586", ".307"]],
  ["low-rank, 16", { lora }, ["13.14", ".472", ".304"]],
]);
await section(
  "table:lora",
  "Turbo: all weights or low-rank additions",
  [
    `\`node runs/table-lora.mjs\`: students of the first stage (${steps} steps, ${trajectories.pictures} pictures followed in ${passes} passes) at 4 steps without guidance. The last columns are the paper's Table 3 (256 px): passes for 16 tokens, ImageReward, CLIP score.`,
    table(["trained", ...COLUMNS, "paper: passes", "paper: IR", "paper: CS"], rows),
  ].join("\n\n"),
);
