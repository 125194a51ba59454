// Draws pictures for a refiner to learn from (DRAWN of runs/train-var.mjs): a drafter of N scales, then a large network.
//   node runs/draw-classes.mjs PART/PARTS OUT PICTURES N DRAFTER.safetensors REFINER.safetensors [GUIDANCE]
// Both are exported weights of the size of mini; the tokenizer and the choices among codes are those of weights/code-mini.
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { writeJson } from "fewstep/files";
import { tokenCount } from "fewstep/models/msvq";
import { VAR_PRESETS } from "fewstep/models/var";
import { loadLabelModel } from "fewstep/tasks";
import { collectTrajectories, drawnCodec } from "fewstep/train";

const [share, folder, pictures, n, drafter, refiner, guidance = "1"] = process.argv.slice(2);
const [part, parts] = share.split("/").map(Number);
const SAME = 16;
const base = JSON.parse(readFileSync("weights/code-mini/var.json", "utf8"));
const config = { ...VAR_PRESETS.mini, classes: base.classes.length };
// Each process has its own, so that none reads what another is writing.
const made = `${folder}/model-${part}`;
mkdirSync(made, { recursive: true });
for (const [name, file] of Object.entries({ drafter, refiner, msvq: "weights/code-mini/msvq.safetensors" }))
  cpSync(file, `${made}/${name}.safetensors`);
const of = (role) => [role, { file: `${role}.safetensors`, config }];
await writeJson(`${made}/var.json`, {
  ...base,
  networks: Object.fromEntries(["drafter", "refiner"].map(of)),
  pairs: {},
});

const model = await loadLabelModel(made, { host: "inline", threads: Number(process.env.THREADS ?? 1) });
const codec = drawnCodec(tokenCount(base.tokenizer.config), config.codebookSize, config.classes);
await collectTrajectories(
  { folder, codec, origin: { n, guidance, drafter, refiner }, count: Number(pictures), chunk: 4 * SAME },
  async (first, count) => {
    const labels = Array.from({ length: Math.ceil(count / SAME) }, (_, i) => (first / SAME + i) % config.classes);
    // Pictures of one class have seeds of their own.
    const how = { n: SAME, seed: 1e6 + first, batchSize: SAME, draftScales: Number(n), guidance: Number(guidance) };
    const { images } = await model.generateImage(labels, how);
    return images.map(({ tokens }, i) => ({ label: labels[Math.floor(i / SAME)], ids_L: tokens }));
  },
  { part: part - 1, parts, onProgress: (done, total) => console.log(`${done}/${total} chunks`) },
);
