// Trains the multi-scale tokenizer of var-mini on scenes of one object: node runs/train-msvq.mjs OUT [STEPS] [DECODER_OF.safetensors]
// With a third argument the tokens of those weights are kept and the decoder alone is trained on. FASHION=folder trains
// on Fashion-MNIST instead.
import { readWeights } from "fewstep/files";
import { MSVQ_PRESETS } from "fewstep/models/msvq";
import { loadAtlas } from "fewstep/scenes";
import { fashionSource, msvqTask, objectSource, train } from "fewstep/train";

const [out = "out/msvq", steps = "4000", decoderOf] = process.argv.slice(2);
const { FASHION: folder, THREADS, BATCH = "8", ENTROPY = "0.5" } = process.env;
const settings = { config: MSVQ_PRESETS.mini, batchSize: Number(BATCH), reconstruction: 10, entropy: Number(ENTROPY) };
const seed = decoderOf ? 2 : 1;
const source = folder
  ? fashionSource(folder, { seed, pixels: 64 })
  : objectSource({ atlas: await loadAtlas(), seed, pixels: 64 });
const start = decoderOf && readWeights(decoderOf);
const weights = start && Object.fromEntries(start.names.map((name) => [name, start.float32(name)]));
await train({
  task: msvqTask({ ...settings, decoderOf: weights }, source, { ...settings, decoderOf, folder, seed }),
  out,
  steps: Number(steps),
  schedule: { kind: "cosine", peak: decoderOf ? 1e-3 : 2e-3, warmup: 100, floor: 2e-5 },
  optimizer: { betas: [0.9, 0.99], ema: 0.998, weightDecay: 0 },
  threads: Number(THREADS ?? 1),
  spinning: false,
  every: { log: 20, save: 200, sample: 400 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  psnr ${means.psnr.toFixed(2)} dB  loss ${means.loss.toFixed(4)}  codes ${(means.codes ?? 0).toFixed(0)}  |g| ${means.gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(1)} pictures/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
