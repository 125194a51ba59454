// Sets the thresholds of the newest checkpoint, measures it and packs it into weights/detector:
// node runs/pack-detector.mjs [RUN] [FOLDER]   (npm run bench -- generate --rounds 1 compiles what it needs)
import { readFileSync } from "node:fs";
import { acceptanceOf, calibrate, detectorCases } from "fewstep/evaluate";
import { readSafetensors } from "fewstep/files";
import { detectorParameters, detectorPrograms, saveDetector } from "fewstep/models/detector";
import { DOMAINS, loadAtlas, TASKS } from "fewstep/scenes";
import { exportWeights } from "fewstep/train";
import { circumstances, table, writeSection } from "../dist/bench/report.js";
import { newestCheckpoint } from "./checkpoints.mjs";

const [run = "out/detector", folder = "weights/detector"] = process.argv.slice(2);
const last = newestCheckpoint(run).name;
await exportWeights(`${run}/checkpoints/${last}`, `${run}/weights.safetensors`, { dtype: "float16" });
const file = readSafetensors(`${run}/weights.safetensors`);
const weights = new Map(file.names.map((name) => [name, file.float32(name)]));
const { config: about } = JSON.parse(readFileSync(`${run}/config.json`, "utf8"));
const { config, domain, batchSize } = about;
const detector = detectorPrograms(config, (name) => weights.get(name));
const atlas = await loadAtlas();

/** Seeds of scenes that are used for nothing else; training has 3. */
const SEEDS = { calibration: 7001, report: 9001 };
const cases = (show, scenes, seed) => detectorCases(detector, { atlas, domain: DOMAINS[domain], scenes, seed, show });
const thresholds = calibrate(
  [...(await cases("drawn", 150, SEEDS.calibration)), ...(await cases("degraded", 150, SEEDS.calibration))],
  await cases("ruined", 150, SEEDS.calibration),
);
const report = {};
for (const show of ["drawn", "degraded", "ruined"])
  report[show] = acceptanceOf(await cases(show, 300, SEEDS.report), thresholds);
const { drawn, degraded, ruined } = report;
await detector.dispose();

const share = ({ share, ci95: [low, high] }) => `${share.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
const rows = TASKS.map((task) => [
  task,
  ...[drawn, degraded].flatMap((of) => [share(of[task].trueAccept), share(of[task].falseAccept)]),
  share(ruined[task].trueAccept),
]);
const figures = table(["task", "drawn: true", "drawn: false", "degraded: true", "degraded: false", "ruined"], rows);
const parameters = [...detectorParameters(config).values()].reduce(
  (n, shape) => n + shape.reduce((a, b) => a * b, 1),
  0,
);
const pictures = Number(last.slice(5)) * batchSize;
const explained = `Shares of 300 scenes of each task that are judged right by a true prompt and by one that is wrong in one fact, with
95 % intervals; degraded: blurred, coarse, faded, off in colour, noisy at random; ruined: besides, one object is a blob, and
the prompt is no longer true. Thresholds: ${thresholds.present} where something
is to be present, ${thresholds.counted} where objects are counted, set on other scenes.`;
const card = `---
library_name: fewstep
license: apache-2.0
pipeline_tag: object-detection
---
# detector

Finds the objects of emoji scenes: class, box and colour. It is the judge of \`fewstep eval geneval\`, trained from nothing
by the code of this repository (\`runs/train-detector.mjs\`), and knows only the drawings of these scenes.

| | |
|---|---|
| Data | ${pictures} seeded scenes, domain \`${domain}\`, held-out combinations among them; most of them degraded, some in exchanged colours, off the lattice or with an object ruined |
| Art | Noto Emoji, Apache-2.0 (see NOTICE) |
| Size | ${parameters} parameters; outputs for ${config.classes.length} classes and ${config.colors.length} colours, of which those of the domain are trained |

${explained}

${figures}
`;
await saveDetector(folder, { config, thresholds, domain, weights, card });
await writeSection("docs/RESULTS.md", "eval:detector", `${explained}\n\n${figures}\n\n${circumstances()}.`);
console.log(figures, thresholds);
