// Trains the next-scale transformers of var-mini and code-mini on scenes of one object:
//   node runs/train-var.mjs TOKENIZER.safetensors OUT STEPS PRESET                      from scratch (mini, mini-refiner)
//   node runs/train-var.mjs TOKENIZER.safetensors OUT STEPS mini START N                a drafter of N scales
//   node runs/train-var.mjs TOKENIZER.safetensors OUT STEPS mini-refiner START N TEACHER  a refiner from scale N on (0: all)
//   DRAWN=FOLDER node runs/train-var.mjs TOKENIZER.safetensors OUT STEPS mini-refiner START N      a refiner from scale N on, by what runs/draw-classes.mjs drew
// START and TEACHER are exported weights. ASTRAY=0.5: up to half of the tokens are another picture's. FASHION=folder trains on Fashion-MNIST instead.
import { readWeights } from "fewstep/files";
import { MSVQ_PRESETS, msvqPrograms, tokenCount } from "fewstep/models/msvq";
import { VAR_PRESETS } from "fewstep/models/var";
import { loadAtlas } from "fewstep/scenes";
import { drawnCodec, fashionSource, objectSource, refinerTask, train, trajectoriesIn, varTask } from "fewstep/train";

const [tokens, out, steps, preset = "mini", start, n, teacherFile] = process.argv.slice(2);
const { FASHION: folder, THREADS = "1", BATCH = "8", MICRO = "2", PEAK, ASTRAY, DRAWN } = process.env;
const arrays = (path) => {
  const file = readWeights(path);
  return Object.fromEntries(file.names.map((name) => [name, file.float32(name)]));
};
const seed = 1;
const source = folder
  ? fashionSource(folder, { seed, pixels: 64 })
  : objectSource({ atlas: await loadAtlas(), seed, pixels: 64 });
const config = { ...VAR_PRESETS[preset], classes: source.classes.length };
const vae = arrays(tokens);
const tokenizer = msvqPrograms(MSVQ_PRESETS.mini, (name) => vae[name], {
  threads: Number(THREADS),
  spinning: false,
  micro: 8,
});
const settings = {
  config,
  batchSize: Number(BATCH),
  labelDropout: 0.1,
  seed,
  ...(DRAWN && {
    from: Number(n),
    drawn: trajectoriesIn(DRAWN, drawnCodec(tokenCount(config), config.codebookSize, config.classes)),
  }),
  ...(ASTRAY && { astray: Number(ASTRAY) }),
};
const weights = start && start !== "-" ? arrays(start) : undefined;
const options = { about: { ...settings, drawn: DRAWN, tokens, start, n, teacherFile, folder }, micros: Number(MICRO) };
const task = teacherFile
  ? refinerTask(
      {
        ...settings,
        weights,
        from: Number(n),
        teacher: { config: { ...VAR_PRESETS.mini, classes: config.classes }, weights: arrays(teacherFile) },
      },
      tokenizer,
      source,
      options,
    )
  : varTask({ ...settings, weights, scales: n && !DRAWN ? Number(n) : undefined }, tokenizer, source, options);
await train({
  task,
  out,
  steps: Number(steps),
  micro: Number(MICRO),
  schedule: { kind: "cosine", peak: Number(PEAK ?? (start ? 3e-4 : 1.5e-3)), warmup: start ? 20 : 200, floor: 1e-5 },
  optimizer: { betas: [0.9, 0.95], ema: 0.998, weightDecay: 0.05, clip: 2 },
  threads: Number(THREADS),
  spinning: false,
  every: { log: 20, save: 100, sample: 500 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  loss ${means.loss.toFixed(3)}  last scale ${means.tail.toFixed(3)}  |g| ${means.gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(1)} pictures/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
