// Scores a model by GenEval's protocol at several settings and writes a section of docs/RESULTS.md:
// node runs/geneval.mjs [MODEL] [STEPS/GUIDANCE[/TOPK],...] [PER_PROMPT]
// Pictures are kept in out/eval/, so that a run that was killed goes on, and are judged anew each time.
import { mkdir } from "node:fs/promises";
import { loadModel } from "fewstep";
import { ceilingsOf, evaluateGeneval, modelHash } from "fewstep/evaluate";
import { modelFolder } from "fewstep/models";
import { loadDetector } from "fewstep/models/detector";
import { DOMAINS, genevalPrompts, loadAtlas, TASKS } from "fewstep/scenes";
import { circumstances, table, writeSection } from "../dist/bench/report.js";

const [name = "show-o-mini", settings = "16/1,8/1,4/1,2/1", perPrompt = "4"] = process.argv.slice(2);
const [domain, seed] = [DOMAINS.easy, 1000];
const folder = modelFolder(name);
const about = { model: name, modelHash: await modelHash(folder) };
const threads = process.env.THREADS ? Number(process.env.THREADS) : undefined;
const model = await loadModel(folder, { host: "inline", threads });
const detector = await loadDetector();
const common = {
  ...{ detector, atlas: await loadAtlas(), domain, seed, perPrompt: Number(perPrompt), about },
  requests: genevalPrompts(domain),
};
await mkdir("out/eval", { recursive: true });

let told = 0;
const onProgress = (stage, done, total) => {
  if (performance.now() - told < 10_000) return;
  told = performance.now();
  console.error(`${stage} ${done}/${total}`);
};
const ceilings = await ceilingsOf(model, { ...common, onProgress });
const percent = (share) => (100 * share).toFixed(1);
const row = (what, { average, ci95, tasks }, more) => [
  what,
  `${percent(average)} (${ci95.map(percent).join(" to ")})`,
  ...TASKS.map((task) => percent(tasks[task])),
  ...more,
];
const rows = [];
for (const one of settings.split(",")) {
  const [steps, guidance, topK] = one.split("/").map(Number);
  console.error(`${name}: ${steps} steps, guidance ${guidance}${topK ? `, top-k ${topK}` : ""}`);
  const record = `out/eval/${name.replaceAll("/", "-")}-${about.modelHash}-${one.replaceAll("/", "-")}-${perPrompt}.jsonl`;
  const result = await evaluateGeneval(model, { ...common, steps, guidance, topK, record, ceilings, onProgress });
  const { model: distance } = result.detectorFrechet;
  rows.push(
    row(`${steps} steps, guidance ${guidance}${topK ? `, top-k ${topK}` : ""}`, result, [
      distance.toFixed(3),
      result.secondsPerPicture.toFixed(2),
    ]),
  );
  if (rows.length === 1)
    rows.ceilings = [
      row("reconstructions of scenes", result.tokenizerCeiling, [result.detectorFrechet.tokenizer.toFixed(3), ""]),
      row("scenes", result.ceiling, ["0", ""]),
    ];
  console.error(rows.at(-1).join("  "));
}
await detector.dispose();
await model.dispose();
const head = [
  "setting",
  "average, % (95 %)",
  ...TASKS.map((task) => task.replace("_", " ")),
  "distance",
  "s a picture",
];
await writeSection(
  "docs/RESULTS.md",
  `eval:geneval:${name}`,
  `${table(head, [...rows, ...rows.ceilings])}

${perPrompt} pictures of each of ${common.requests.length} prompts. Distance: Fréchet distance to drawn scenes in the detector's
feature space, which is not FID. ${circumstances()}, model ${about.modelHash}.`,
);
