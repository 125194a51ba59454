// Trains a detector that judges pictures: node runs/train-detector.mjs OUT [STEPS] [DOMAIN]
// DOMAIN: easy, medium, full, or objects for the scenes of one object that next-scale models draw.
import { DETECTOR_SIZES } from "fewstep/models/detector";
import { CLASS_NAMES, COLOR_NAMES, DOMAINS, loadAtlas } from "fewstep/scenes";
import { detectorTask, OBJECTS, train } from "fewstep/train";

const [out = "out/detector", steps = "3000", domain = "easy"] = process.argv.slice(2);
const config = { ...DETECTOR_SIZES, classes: CLASS_NAMES, colors: COLOR_NAMES };
const settings = { config, batchSize: 16, seed: 3 };
await train({
  task: detectorTask(
    settings,
    { atlas: await loadAtlas(), domain: domain === "objects" ? OBJECTS : DOMAINS[domain] },
    { ...settings, domain },
  ),
  out,
  steps: Number(steps),
  schedule: { kind: "cosine", peak: Number(process.env.PEAK ?? 2e-3), warmup: 100, floor: 2e-5 },
  optimizer: { ema: 0.995, weightDecay: 0.01 },
  threads: Number(process.env.THREADS ?? 1),
  spinning: false,
  every: { log: 20, save: 200, sample: 1000 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  centers ${means.centers.toFixed(3)}  boxes ${means.boxes.toFixed(3)}  colors ${means.colors.toFixed(3)}  |g| ${means.gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(0)} pictures/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
