// Trains the MAGVIT-v2 of show-o-mini on emoji scenes: node runs/train-tokenizer.mjs OUT [STEPS] [DECODER_OF.safetensors]
// With a third argument the tokens of those weights are kept and the decoder alone is trained on.
import { readWeights } from "fewstep/files";
import { MAGVIT_PRESETS } from "fewstep/models/magvit";
import { DOMAINS, loadAtlas } from "fewstep/scenes";
import { magvitTask, sceneSource, train } from "fewstep/train";

const [out = "out/tokenizer", steps = "5000", decoderOf] = process.argv.slice(2);
const domain = "easy";
const settings = { config: MAGVIT_PRESETS.mini, batchSize: 8, reconstruction: 10, entropy: 0.1 };
const seed = decoderOf ? 2 : 1;
const source = sceneSource({ atlas: await loadAtlas(), domain: DOMAINS[domain], seed, pixels: 64 });
const start = decoderOf && readWeights(decoderOf);
const weights = start && Object.fromEntries(start.names.map((name) => [name, start.float32(name)]));
await train({
  task: magvitTask({ ...settings, decoderOf: weights }, source, { ...settings, decoderOf, domain, seed }),
  out,
  steps: Number(steps),
  schedule: { kind: "cosine", peak: decoderOf ? 1e-3 : 2e-3, warmup: 100, floor: 2e-5 },
  optimizer: { ema: 0.998, weightDecay: 0 },
  threads: Number(process.env.THREADS ?? 1),
  spinning: false,
  every: { log: 20, save: 250, sample: 500 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  psnr ${means.psnr.toFixed(2)} dB  loss ${means.loss.toFixed(4)}  ${samplesPerSecond.toFixed(0)} pictures/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
