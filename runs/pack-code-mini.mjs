// Packs what was trained into weights/code-mini and weights/var-mini: node runs/pack-code-mini.mjs TOKENIZER DRAFTER REFINER [N[+M]=DRAFTER_RUN,REFINER_RUN[,GUIDANCE] ...]
// Each is the folder of a run (runs/train-msvq.mjs, runs/train-var.mjs) or a .safetensors file of exported weights, whose steps
// may be told: FILE.safetensors@2000. RUN@7000 tells the steps of all runs that led to this one.
// 2+3=... is one pair for both numbers of scales; GUIDANCE is the most that its refiner is given. The cards take their figures from weights/code-mini/figures.json (written by runs/code-results.mjs), if there are any.
import { existsSync, readFileSync } from "node:fs";
import { readSafetensors } from "fewstep/files";
import { MSVQ_PRESETS } from "fewstep/models/msvq";
import { saveLabelModel, VAR_PRESETS } from "fewstep/models/var";
import { exportWeights, OBJECTS } from "fewstep/train";
import { newestCheckpoint } from "./checkpoints.mjs";

const [tokenizer, drafter, refiner, ...pairs] = process.argv.slice(2);
const folder = "weights/code-mini";

/** Averaged weights of a run's newest checkpoint with its steps, or those of a file. */
async function newest(named) {
  const [run, told] = named.split("@");
  let [file, steps] = [run, undefined];
  if (!run.endsWith(".safetensors")) {
    const last = newestCheckpoint(run).name;
    file = `${run}/weights.safetensors`;
    steps = Number(last.slice(5));
    await exportWeights(`${run}/checkpoints/${last}`, file);
  }
  const open = readSafetensors(file);
  const weights = new Map(open.names.map((name) => [name, open.float32(name)]));
  open.close();
  return { steps: told ?? steps, weights, values: [...weights.values()].reduce((n, { data }) => n + data.length, 0) };
}

const classes = OBJECTS.classes;
const configOf = (preset) => ({ ...VAR_PRESETS[preset], classes: classes.length });
const vae = await newest(tokenizer);
const trained = { drafter: await newest(drafter), refiner: await newest(refiner) };
const networks = {
  drafter: { file: "drafter.safetensors", config: configOf("mini") },
  refiner: { file: "refiner.safetensors", config: configOf("mini-refiner") },
};
const together = {};
for (const pair of pairs) {
  const [numbers, runs] = pair.split("=");
  const n = numbers.split("+").at(-1);
  const [drafterRun, refinerRun, most] = runs.split(",");
  const refinerGuidance = most && { refinerGuidance: Number(most) };
  for (const each of numbers.split("+"))
    together[each] = { drafter: `drafter-${n}`, refiner: `refiner-${n}`, ...refinerGuidance };
  for (const [role, run] of Object.entries({ drafter: drafterRun, refiner: refinerRun })) {
    trained[`${role}-${n}`] = await newest(run);
    networks[`${role}-${n}`] = { file: `${role}-${n}.safetensors`, config: networks[role].config };
  }
}
const figures = existsSync(`${folder}/figures.json`)
  ? JSON.parse(readFileSync(`${folder}/figures.json`, "utf8"))
  : undefined;
const said = (name, { steps, values }) =>
  `| ${name} | ${(values / 1e6).toFixed(2)} M parameters${steps === undefined ? "" : `, ${steps} steps`} |`;
const card = (name, what, parts) => `---
library_name: fewstep
license: apache-2.0
pipeline_tag: text-to-image
---
# ${name}

${what} 64x64 pixels, scales of ${MSVQ_PRESETS.mini.sides.join(", ")} cells a side, ${MSVQ_PRESETS.mini.codebookSize} codes. Trained from nothing by the code of this
repository; commands in runs/README.md.

| | |
|---|---|
| Data | seeded scenes of one emoji object: ${classes.length} classes, nine places, four backgrounds |
| Art | Noto Emoji, Apache-2.0 (see NOTICE) |
${parts.map(([part, run]) => said(part, run)).join("\n")}
${figures ? figures.rows.map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n" : ""}
Classes: ${classes.join(", ")}.
`;
const states = Object.fromEntries(Object.entries(trained).map(([name, { weights }]) => [name, weights]));
// Tokens of the second scale are drawn apart and have to agree on where the object lies (docs/LOG.md): the likeliest do best.
const defaults = { guidance: 1, topK: [0, 1, 0, 0, 0, 0], topP: 0.9 };
await saveLabelModel(folder, {
  config: {
    model: "code-mini",
    tokenizer: { file: "msvq.safetensors", config: MSVQ_PRESETS.mini },
    networks,
    pairs: together,
    classes: [...classes],
    defaults: { ...defaults, draftScales: 4 },
  },
  tokenizer: vae.weights,
  networks: states,
  card: card("code-mini", "A large drafter and a small refiner that draw one object of a class together (CoDe).", [
    ["tokenizer", vae],
    ...Object.entries(trained),
  ]),
});
await saveLabelModel("weights/var-mini", {
  config: {
    model: "var-mini",
    tokenizer: { file: "../code-mini/msvq.safetensors", config: MSVQ_PRESETS.mini },
    networks: { drafter: { file: "../code-mini/drafter.safetensors", config: networks.drafter.config } },
    pairs: {},
    classes: [...classes],
    defaults,
  },
  tokenizer: vae.weights,
  networks: states,
  card: card("var-mini", "A next-scale transformer that draws one object of a class (VAR), the drafter of code-mini.", [
    ["tokenizer", vae],
    ["transformer", trained.drafter],
  ]),
});
console.log(`${folder}: ${Object.keys(networks).join(", ")}`);
