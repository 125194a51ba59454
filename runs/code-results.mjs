// Measures weights/code-mini at every number of drafted scales and writes docs/RESULTS.md, docs/pictures/code-*.png and
// the figures of the model cards: node runs/code-results.mjs [IMAGES] [BATCH]   (npm run bench -- train --rounds 1 compiles what it needs)
import { mkdir } from "node:fs/promises";
import { detectorJudge, evaluateCode, frechetDistance } from "fewstep/evaluate";
import { writeAtomic, writeJson } from "fewstep/files";
import { encodePicture, enlarge, picture, plotCurves, postprocess, preprocess, sheet } from "fewstep/image";
import { DETECTORS, loadDetector } from "fewstep/models/detector";
import { loadAtlas } from "fewstep/scenes";
import { loadLabelModel } from "fewstep/tasks";
import { objectSource } from "fewstep/train";
import { circumstances, table, writeSection } from "../dist/bench/report.js";

const [images = "512", batch = "8"] = process.argv.slice(2);
const threads = Number(process.env.THREADS ?? 1);
const folder = "weights/code-mini";
const model = await loadLabelModel(folder, { host: "inline", threads });
const detector = await loadDetector(DETECTORS.objects);
const judge = detectorJudge(detector);
const seed = 1000;
const source = objectSource({ atlas: await loadAtlas(), seed, pixels: detector.config.resolution });
const real = [];
let rightInReal = 0;
const scenes = source.pictures(0, Number(images), "heldout");
for (const one of scenes) {
  const look = await judge(picture(one.width, one.height, one.pixels));
  rightInReal += Number(look.seen === source.classes[one.label]);
  real.push(look);
}
/** The same scenes through the tokenizer: what no network can do better than. */
async function throughTokenizer() {
  const looks = [];
  let right = 0;
  for (let first = 0; first < scenes.length; first += Number(batch)) {
    const some = scenes.slice(first, first + Number(batch));
    const planes = some.map(({ width, height, pixels: data }) => preprocess({ width, height, data }, source.pixels));
    const data = Float32Array.from(planes.flatMap((plane) => [...plane.data]));
    const shape = [some.length, ...planes[0].shape];
    const { fHats } = await model.tokenizer.encode({ dtype: "float32", shape, data });
    const [count, rows, ...map] = fHats.shape;
    const last = fHats.data.slice(((count - 1) / count) * fHats.data.length);
    const drawn = postprocess(await model.tokenizer.decode({ ...fHats, shape: [rows, ...map], data: last }));
    for (const [i, one] of drawn.entries()) {
      const look = await judge(one);
      right += Number(look.seen === source.classes[some[i].label]);
      looks.push(look.features);
    }
  }
  const distance = frechetDistance(
    looks,
    real.map(({ features }) => features),
  );
  return `through the tokenizer ${((100 * right) / scenes.length).toFixed(1)} %, at a distance of ${distance.toFixed(3)}`;
}
const ceiling = await throughTokenizer();
const scales = model.tokenizer.config.sides.length;
const common = { images: Number(images), batchSize: Number(batch), seed, judge, real };
const rows = [];
for (let draftScales = scales; draftScales >= 0; draftScales--)
  for (const pair of String(draftScales) in model.config.pairs ? ["free", "specialised"] : ["free"]) {
    // Anew for each row, which shall not count networks and buffers of the one before it.
    const fresh = await loadLabelModel(folder, { host: "inline", threads });
    const figures = await evaluateCode(fresh, { ...common, draftScales, pair });
    await fresh.dispose();
    rows.push({ ...figures, pair });
    console.error(
      draftScales,
      pair,
      figures.imagesPerSecond.toFixed(2),
      figures.frechet.toFixed(3),
      figures.accuracy.share,
    );
  }

const [alone] = rows;
/** The paper's rows, 256 pixels on one RTX 4090 (CoDe, CVPR 2025): speed and memory against the drafter alone, FID. */
const PAPER = [
  ["drafter alone (VAR-d30)", "1x", "39 GB", "1.95"],
  ["9 of 10 drafted", "", "", "1.94"],
  ["8 of 10 drafted", "1.7x", "20 GB", "1.98"],
  ["7 of 10 drafted", "", "", "2.11"],
  ["6 of 10 drafted", "2.9x", "", "2.27"],
];
const name = ({ draftScales, pair }) =>
  draftScales === scales ? "drafter alone" : draftScales === 0 ? "refiner alone" : `${draftScales} drafted, ${pair}`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const body = rows.map((row) => {
  const speed = row.imagesPerSecond / alone.imagesPerSecond;
  const without = row.imagesPerSecondWithoutPixels / alone.imagesPerSecondWithoutPixels;
  const memory = row.cacheBytes / alone.cacheBytes;
  const worse = row.frechet / alone.frechet - 1;
  const lost = alone.accuracy.share - row.accuracy.share;
  const holds = [
    ...(without >= 1.7 && memory <= 0.5 && worse <= 0.02 && lost <= 0.01 ? ["1.7x, half, 2 %"] : []),
    ...(without >= 2.9 && worse <= 0.17 && lost <= 0.01 ? ["2.9x, 17 %"] : []),
  ];
  return [
    name(row),
    row.imagesPerSecond.toFixed(2),
    `${speed.toFixed(2)}x`,
    `${without.toFixed(2)}x`,
    `${(row.cacheBytes / 2 ** 20).toFixed(2)} MB`,
    percent(memory),
    `${(row.peakMemory / 2 ** 20).toFixed(0)} MB`,
    `${row.frechet.toFixed(3)} (${worse >= 0 ? "+" : ""}${percent(worse)})`,
    `${percent(row.accuracy.share)} (${row.accuracy.ci95.map(percent).join(" to ")})`,
    holds.join("; ") || "neither",
  ];
});
const head = [
  "networks",
  "pictures/s",
  "speed",
  "without pixels",
  "cache",
  "of alone",
  "process",
  "distance",
  "class right",
  "the paper's claims that hold",
];
const text = [
  `${images} pictures a row, batch ${batch}, ${threads} thread${threads > 1 ? "s" : ""}; distance: Fréchet distance in the detector's features to as many scenes never trained on, not comparable with FID. Of those scenes the detector names ${percent(rightInReal / real.length)} right, ${ceiling}.`,
  table(head, body),
  "The paper's figures, ImageNet at 256 pixels on one RTX 4090:",
  table(["networks", "speed", "memory", "FID"], PAPER),
  `${circumstances()}.`,
].join("\n\n");
await writeSection("docs/RESULTS.md", "eval:code-mini", text, "code-mini: drafter and refiner");

await mkdir("docs/pictures", { recursive: true });
const save = async (file, shown) => writeAtomic(`docs/pictures/${file}.png`, await encodePicture(shown, "png"));
const curve = (title, chosen) => ({
  name: title,
  x: chosen.map((row) => row.imagesPerSecondWithoutPixels),
  y: chosen.map((row) => row.frechet),
});
const inside = (row) => row.draftScales > 0 && row.draftScales < scales;
const plain = rows.filter((row) => !inside(row));
const special = rows.filter((row) => row.pair === "specialised");
await save(
  "code-pareto",
  plotCurves({
    title: "Fréchet distance against pictures a second, without the pixel decoder",
    xLabel: "pictures a second",
    series: [
      curve("one network alone", plain),
      curve(
        "drafter and refiner",
        rows.filter((row) => row.pair === "free"),
      ),
      ...(special.length ? [curve("trained for it", special)] : []),
    ],
  }),
);
const shownClasses = model.config.classes.filter((_, i) => i % 8 === 0);
const drawn = [];
for (const draftScales of [scales, 4, 3, 0]) {
  const { images: few } = await model.generateImage(shownClasses, { seed: 1, draftScales });
  drawn.push(...few.map((one) => enlarge(one, 128, 128)));
}
await save("code-classes", sheet(drawn, { columns: shownClasses.length, gap: 4 }));
await writeJson(`${folder}/figures.json`, {
  rows: body.map(([networks, speed, ratio, , cache, , , distance, right]) => [
    networks,
    `${speed} pictures/s (${ratio}), cache ${cache}, distance ${distance}, class right ${right}`,
  ]),
});
await model.dispose();
await detector.dispose();
