// With and without guidance: node runs/table-guidance.mjs      (environment: runs/tables.mjs)
import { best, geneval, models, SCORES, scores, section, table } from "./tables.mjs";

const kinds = [
  ["Show-o", models.teacher, [0, best]],
  ["Turbo", models.turbo, [0, 0.25, best]],
];
const rows = [];
for (const [name, model, weights] of kinds)
  for (const steps of [16, 8, 4, 2])
    for (const guidance of weights)
      rows.push([name, steps, guidance, ...scores(await geneval(model, { steps, guidance }))]);
const paper = [
  ["Show-o, 0 and 10", "-1.097 / .739", "-.916 / .665", "-.877 / .219", "-1.661 / -1.257"],
  ["Turbo, 0 and 1", ".752 / .816", ".738 / .782", ".706 / .731", ".529 / .420"],
];
await section(
  "table:guidance",
  "Turbo: guidance",
  [
    "`node runs/table-guidance.mjs`: GenEval by the weight of guidance.",
    table(["model", "steps", "guidance", ...SCORES], rows),
    "The paper's Table 5 (256 px, ImageReward without and with guidance):",
    table(["model", "16 steps", "8", "4", "2"], paper),
  ].join("\n\n"),
);
