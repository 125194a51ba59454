// Parts of a trajectory: node runs/table-segments.mjs      (environment: runs/tables.mjs and runs/turbo-settings.mjs)
import { ablate, COLUMNS } from "./ablation.mjs";
import { section, table } from "./tables.mjs";
import { turboConfig } from "./turbo-settings.mjs";

const {
  stages: [{ steps, passes }],
  trajectories,
} = turboConfig("any");

const rows = await ablate([
  ["4 segments", { segments: 4, textSegments: 4 }, ["10.57", ".586", ".307"]],
  ["2 segments", { segments: 2, textSegments: 2 }, ["12.48", ".500", ".306"]],
  ["1 segment", { segments: 1, textSegments: 1 }, ["11.71", ".270", ".304"]],
]);
await section(
  "table:segments",
  "Turbo: segments",
  [
    `\`node runs/table-segments.mjs\`: students of the first stage (${steps} steps, ${trajectories.pictures} pictures followed in ${passes} passes) at 4 steps without guidance. The last columns are the paper's Table 3 (256 px): passes for 16 tokens, ImageReward, CLIP score.`,
    table(["trajectories in", ...COLUMNS, "paper: passes", "paper: IR", "paper: CS"], rows),
  ].join("\n\n"),
);
