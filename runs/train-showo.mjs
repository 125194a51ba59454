// Pretrains show-o-mini on emoji scenes with a trained picture tokenizer, phase by phase:
// node runs/train-showo.mjs TOKENIZER.safetensors OUT [PHASES.json]      (THREADS; START, a model's folder whose weights and
// words to begin with instead of nothing)
// A phase: until which step it goes, steps and peak of its cosine schedule, mix (rows to draw, plain texts, pictures to talk
// about, the share of dialogues that are captions, dialogues about each picture), and how much more some things count: `mmu`
// weighs dialogues, `questions` kinds of questions, `tasks` kinds of scenes, of `domain`; `prompts` is the share of prompts that
// leave things open. A killed run goes on in its phase.
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { readSafetensors, writeJson } from "fewstep/files";
import { MAGVIT_PRESETS } from "fewstep/models/magvit";
import { SHOWO_PRESETS } from "fewstep/models/showo";
import { DOMAINS, loadAtlas } from "fewstep/scenes";
import { tokenizerFromJson } from "fewstep/text";
import { sceneSource, showoTask, train, trainVocabulary } from "fewstep/train";
import { newestCheckpoint, startingCells, tensorsOf } from "./checkpoints.mjs";

const [tokenizerWeights = "out/tokenizer/tokens.safetensors", out = "out/showo", phases = "runs/show-o-mini.json"] =
  process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const seed = 1;
const pixels = 64;
const threads = Number(process.env.THREADS ?? 1);
const atlas = await loadAtlas();
await mkdir(out, { recursive: true });
const { START } = process.env;
const vocabulary = START ? `${START}/tokenizer.json` : `${out}/tokenizer.json`;
if (!existsSync(vocabulary))
  await writeJson(
    vocabulary,
    trainVocabulary(sceneSource({ atlas, domain: DOMAINS.full, seed, pixels }).corpus(), 512),
  );
const tokenizer = tokenizerFromJson(json(vocabulary));
const config = { ...SHOWO_PRESETS.mini, llmVocabSize: tokenizer.size, endOfText: tokenizer.endOfText };
const magvit = readSafetensors(tokenizerWeights);
const parts = { tokenizer, magvit: MAGVIT_PRESETS.mini, magvitWeights: (name) => magvit.float32(name), threads };

for (const { until, steps, mix, peak, mmu: weight = 1, domain = "easy", questions, tasks, prompts } of json(phases)) {
  if (newestCheckpoint(out).step >= until) continue;
  console.log(`to step ${until}: ${mix}`);
  const [t2i, lm, mmu, captionShare, dialogues = 1] = mix.split("/").map(Number);
  const settings = {
    config,
    rows: { t2i, lm, mmu },
    taskWeights: { t2i: 1, lm: 0.1, mmu: weight },
    promptDropout: 0.1,
    ...(dialogues !== 1 && { dialogues, answersAlike: true }),
  };
  const source = sceneSource({
    atlas,
    domain: DOMAINS[domain],
    seed,
    pixels,
    tasks,
    captionShare,
    promptShare: prompts,
    questions,
  });
  const ended = new AbortController();
  await train({
    task: await showoTask(
      { ...settings, weights: START && { ...startingCells(config), ...tensorsOf(`${START}/showo.safetensors`) }, seed },
      parts,
      source,
      {
        ...settings,
        ...{ start: START, domain, seed, captionShare, promptShare: prompts, questions, tasks },
      },
    ),
    out,
    steps,
    schedule: { kind: "cosine", peak, warmup: 200, floor: 1e-5 },
    optimizer: { betas: [0.9, 0.98], ema: 0.998, weightDecay: 0.01 },
    threads,
    spinning: false,
    every: { log: 20, save: 100, sample: 400 },
    resume: true,
    otherConfig: true,
    signal: ended.signal,
    onProgress: ({ step, means, samplesPerSecond, secondsLeft }) => {
      console.log(
        `step ${step}  t2i ${means.t2i.toFixed(3)}  mmu ${means.mmu.toFixed(3)}  lm ${means.lm.toFixed(3)}  |g| ${means.gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(1)} rows/s  ${(secondsLeft / 60).toFixed(0)} min left`,
      );
      if (step === until && step < steps) ended.abort();
    },
  }).catch((error) => {
    if (error.code !== "ABORTED") throw error;
  });
}
