// Measures the judge of next-scale models and packs it into weights/detector-objects: node runs/pack-judge.mjs [RUN]
import { readFileSync } from "node:fs";
import { Rng } from "fewstep/base";
import { detectorJudge, shareOf } from "fewstep/evaluate";
import { readSafetensors } from "fewstep/files";
import { picture } from "fewstep/image";
import { DETECTORS, detectorPrograms, saveDetector } from "fewstep/models/detector";
import { degrade, loadAtlas, ruin } from "fewstep/scenes";
import { exportWeights, objectSource } from "fewstep/train";
import { circumstances, table, writeSection } from "../dist/bench/report.js";
import { newestCheckpoint } from "./checkpoints.mjs";

const [run = "out/judge"] = process.argv.slice(2);
const last = newestCheckpoint(run).name;
await exportWeights(`${run}/checkpoints/${last}`, `${run}/weights.safetensors`, { dtype: "float16" });
const file = readSafetensors(`${run}/weights.safetensors`);
const weights = new Map(file.names.map((name) => [name, file.float32(name)]));
const { config, batchSize } = JSON.parse(readFileSync(`${run}/config.json`, "utf8")).config;
const detector = detectorPrograms(config, (name) => weights.get(name));
const judge = detectorJudge(detector);

const SCENES = 640;
/** Of scenes that are used for nothing else; training has 3. */
const SEED = 9001;
const source = objectSource({ atlas: await loadAtlas(), seed: SEED, pixels: config.resolution });
const spoilt = {
  drawn: (pixels) => pixels,
  degraded: (pixels, rng) => degrade(pixels, rng),
  ruined: (pixels, rng, object) => ruin(pixels, object, rng),
};
const rows = [];
for (const [name, spoil] of Object.entries(spoilt)) {
  let right = 0;
  for (const [i, { pixels, width, height, objects, label }] of source.pictures(0, SCENES, "heldout").entries()) {
    const seen = await judge(picture(width, height, spoil(pixels, new Rng(SEED, i), objects[0])));
    right += Number(seen.seen === source.classes[label]);
  }
  const { share, ci95 } = shareOf(right, SCENES);
  rows.push([name, `${(100 * share).toFixed(1)} % (${ci95.map((x) => (100 * x).toFixed(1)).join(" to ")})`]);
}
await detector.dispose();

const figures = table(["scenes", "class right"], rows);
const explained = `Share of ${SCENES} scenes of one object in which the judge is surest of the right class, with 95 % intervals; degraded: blurred,
coarse, faded, off in colour, noisy at random; ruined: the object is a blob.`;
const pictures = Number(last.slice(5)) * batchSize;
const card = `---
library_name: fewstep
license: apache-2.0
pipeline_tag: object-detection
---
# detector-objects

Tells the class of the object in scenes of one large emoji. It is the judge of \`fewstep eval code\`, trained from nothing by
the code of this repository (\`runs/train-detector.mjs\`), and knows only the drawings of these scenes.

| | |
|---|---|
| Data | ${pictures} seeded scenes of one object; most of them degraded, some in exchanged colours, off the lattice or ruined |
| Art | Noto Emoji, Apache-2.0 (see NOTICE) |

${explained}

${figures}
`;
const thresholds = { present: 0.5, counted: 0.5 };
await saveDetector(DETECTORS.objects, { config, thresholds, domain: "objects", weights, card });
await writeSection("docs/RESULTS.md", "eval:judge", `${explained}\n\n${figures}\n\n${circumstances()}.`);
console.log(figures);
