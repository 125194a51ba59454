// Pretrains show-o-mini on emoji scenes with a trained picture tokenizer:
// node runs/train-showo.mjs TOKENIZER.safetensors OUT [STEPS] [MIX]
// MIX is 13/1/6/0.5/1 by default: rows to draw, plain texts, pictures to talk about, the share of dialogues that are
// captions, and dialogues about each picture.
// Another mix goes on from the newest checkpoint. QUESTIONS='{"presence":6}' asks six times as often what is there,
// TASKS='{"colors":1}' shows scenes of that task alone, MMU=4 weighs dialogues four times.
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { readSafetensors, writeJson } from "fewstep/files";
import { MAGVIT_PRESETS } from "fewstep/models/magvit";
import { SHOWO_PRESETS } from "fewstep/models/showo";
import { DOMAINS, loadAtlas } from "fewstep/scenes";
import { tokenizerFromJson } from "fewstep/text";
import { sceneSource, showoTask, train, trainVocabulary } from "fewstep/train";

const [tokenizerWeights = "out/tokenizer/magvit.safetensors", out = "out/showo", steps = "4200", mix = "13/1/6/0.5/1"] =
  process.argv.slice(2);
const domain = "easy";
const [t2i, lm, mmu, captionShare, dialogues = 1] = mix.split("/").map(Number);
const atlas = await loadAtlas();
await mkdir(out, { recursive: true });
const vocabulary = `${out}/tokenizer.json`;
if (!existsSync(vocabulary))
  await writeJson(
    vocabulary,
    trainVocabulary(sceneSource({ atlas, domain: DOMAINS.full, seed: 1, pixels: 64 }).corpus(), 512),
  );
const tokenizer = tokenizerFromJson(JSON.parse(readFileSync(vocabulary, "utf8")));
const config = { ...SHOWO_PRESETS.mini, llmVocabSize: tokenizer.size, endOfText: tokenizer.endOfText };
const settings = {
  config,
  rows: { t2i, lm, mmu },
  taskWeights: { t2i: 1, lm: 0.1, mmu: Number(process.env.MMU ?? 1) },
  promptDropout: 0.1,
  ...(dialogues !== 1 && { dialogues, answersAlike: true }),
};
const magvit = readSafetensors(tokenizerWeights);
const threads = Number(process.env.THREADS ?? 1);
const parts = { tokenizer, magvit: MAGVIT_PRESETS.mini, magvitWeights: (name) => magvit.float32(name), threads };
const seed = 1;
const given = (name) => (process.env[name] ? JSON.parse(process.env[name]) : undefined);
const [questions, tasks] = [given("QUESTIONS"), given("TASKS")];
const source = sceneSource({ atlas, domain: DOMAINS[domain], seed, pixels: 64, tasks, captionShare, questions });
await train({
  task: await showoTask({ ...settings, seed }, parts, source, {
    ...settings,
    domain,
    seed,
    ...(captionShare !== 0.5 && { captionShare }),
    ...(questions && { questions }),
    ...(tasks && { tasks }),
  }),
  out,
  steps: Number(steps),
  schedule: { kind: "cosine", peak: Number(process.env.PEAK ?? 1e-3), warmup: 200, floor: 1e-5 },
  optimizer: { betas: [0.9, 0.98], ema: 0.998, weightDecay: 0.01 },
  threads,
  spinning: false,
  every: { log: 20, save: 100, sample: 400 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  t2i ${means.t2i.toFixed(3)}  mmu ${means.mmu.toFixed(3)}  lm ${means.lm.toFixed(3)}  |g| ${means.gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(1)} rows/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
