// Measures weights/show-o-mini and writes docs/RESULTS.md, docs/pictures/ and the figures of the model card:
// node runs/show-o-mini-results.mjs [FOLDER] [IMAGES]   (npm run bench -- generate --rounds 1 compiles what it needs)
import { mkdir } from "node:fs/promises";
import { loadModel } from "fewstep";
import { evaluateTokenizer, evaluateUnderstanding } from "fewstep/evaluate";
import { writeAtomic, writeJson } from "fewstep/files";
import { encodePicture, enlarge, sheet } from "fewstep/image";
import { DOMAINS, loadAtlas, sketchScene } from "fewstep/scenes";
import { circumstances, table, writeSection } from "../dist/bench/report.js";

const [folder = "weights/show-o-mini", images = "200"] = process.argv.slice(2);
const [domain, seed] = [DOMAINS.quarters, 1000];
const atlas = await loadAtlas();
const model = await loadModel(folder, { host: "inline" });
const settings = { atlas, domain, images: Number(images), seed };
const say = (text) => console.error(text);

say("reconstructions");
const tokenizer = await evaluateTokenizer(model, settings);
await mkdir("docs/pictures", { recursive: true });
const save = async (name, picture) => writeAtomic(`docs/pictures/${name}.png`, await encodePicture(picture, "png"));
await save("reconstructions", enlarge(tokenizer.sheet, 2 * tokenizer.sheet.width, 2 * tokenizer.sheet.height));

say("captions and questions");
const reading = await evaluateUnderstanding(model, settings);

say("pictures");
const prompts = Array.from({ length: 36 }, (_, index) => sketchScene(domain, { seed, index, split: "heldout" }).prompt);
const { images: drawn } = await model.generateImage(prompts, { seed: 1, batchSize: 12 });
const big = drawn.map((picture) => enlarge(picture, 128, 128));
await save("held-out-prompts", sheet(big, { columns: 6, gap: 4, captions: prompts }));
const states = [];
for await (const step of model.generateImage("a clock above a boat at night", { seed: 1, steps: 8 }))
  states.push(await step.image());
await save(
  "steps",
  sheet(
    states.map((state) => enlarge(state, 128, 128)),
    { columns: 8, gap: 4, captions: states.map((_, i) => `step ${i + 1}`) },
  ),
);

const percent = ({ share, ci95, right, of }) =>
  `${(100 * share).toFixed(1)} % (${right} of ${of}; 95 %: ${ci95.map((x) => (100 * x).toFixed(1)).join(" to ")})`;
const rows = [
  [`Reconstruction of ${tokenizer.images} held-out scenes`, `${tokenizer.psnr.toFixed(2)} dB PSNR`],
  ["Codes in effective use (perplexity)", `${tokenizer.perplexity.toFixed(0)} of ${tokenizer.codebook}`],
  ["Captions with all facts right", percent(reading.facts)],
  ...Object.entries(reading.byFact).map(([fact, share]) => [`Captions: ${fact} right`, percent(share)]),
  ["Yes/no questions right", percent(reading.yesNo)],
  ["One-word questions right", percent(reading.oneWord)],
];
await writeSection(
  "docs/RESULTS.md",
  "eval:show-o-mini",
  `${table(["measure", "value"], rows)}\n\n${circumstances()}.`,
);
await writeJson(`${folder}/figures.json`, { rows, tokenizer: { ...tokenizer, sheet: undefined }, reading });
console.log(rows.map((row) => row.join("  ")).join("\n"));
await model.dispose();
