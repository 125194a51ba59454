// Top-k at 4 and 2 steps: node runs/table-topk.mjs      (environment: runs/tables.mjs)
import { best, geneval, json, models, SCORES, scores, section, table } from "./tables.mjs";

const { codebookSize } = json(`${models.turbo}/config.json`).showo;
const ks = [codebookSize, ...[200, 50, 10].map((k) => Math.max(2, Math.round((k * codebookSize) / 8192))), 1];
const kinds = [
  ["Turbo", models.turbo, 0],
  ["Turbo, surest cells first", models.turbo, 0, { temperature: 0 }],
  [`Show-o, guidance ${best}`, models.teacher, best],
];
const rows = [];
for (const [name, model, guidance, more] of kinds)
  for (const steps of [4, 2])
    for (const topK of ks)
      rows.push([
        name,
        steps,
        topK === codebookSize ? "all" : topK,
        ...scores(await geneval(model, { steps, guidance, topK, ...more })),
      ]);
const paper = [
  ["Turbo", 4, ".621 / .306", ".706 / .309 (k = 200)"],
  ["Turbo", 2, ".027 / .291", ".529 / .306 (k = 10)"],
  ["Show-o", 4, ".219 / .298", ".286 / .302 (k = 200)"],
  ["Show-o", 2, "-1.257 / .254", "-1.263 / .254 (k = 10)"],
];
await section(
  "table:topk",
  "Turbo: top-k",
  [
    `\`node runs/table-topk.mjs\`: GenEval with tokens drawn from the k likeliest of ${codebookSize}.`,
    table(["model", "steps", "k", ...SCORES], rows),
    "The paper's Table 4 (256 px, k of 8192; ImageReward / CLIP score):",
    table(["model", "steps", "all", "top k"], paper),
  ].join("\n\n"),
);
