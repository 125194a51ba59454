// Teaches show-o-mini to draw without guidance what it draws with it, on the stream of scenes: a start for Show-o Turbo.
// node runs/train-guided.mjs [TEACHER] [OUT]      (THREADS, STEPS, PEAK, GUIDANCE, MIX: rows to draw/plain texts/pictures to
// talk about/share of captions/dialogues about each, GUESSES: share of answers learnt behind guesses, MMU: weight of dialogues,
// START: weights to start from, TOLD: weight of the teacher beside the pictures, DOMAIN of the scenes; FOLLOW: folders of
// trajectories ("a,b") that runs/collect-trajectories.mjs made, FOLLOW_ROWS: how many of the rows to draw are states of
// them, FOLLOW_STEPS: before which steps). Killed, it goes on where it was. OUT/model comes out.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { writeJson } from "fewstep/files";
import { DOMAINS, loadAtlas } from "fewstep/scenes";
import { tokenizerFromJson } from "fewstep/text";
import { exportWeights, pictureCodec, sceneSource, showoTask, train, trajectoriesIn } from "fewstep/train";
import { tensorsOf } from "./checkpoints.mjs";

const [teacher = "weights/show-o-mini", out = "out/guided"] = process.argv.slice(2);
const { env } = process;
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const { showo: config, magvit } = json(`${teacher}/config.json`);
// The scenes and the weights that the phases of show-o-mini ended with.
const { questions, tasks, ...phase } = json("runs/show-o-mini-cells.json").at(-1);
const domain = env.DOMAIN ?? phase.domain;
const seed = 2;
const guidance = Number(env.GUIDANCE ?? 1);
const [t2i, lm, mmu, captionShare, dialogues] = (env.MIX ?? "14/1/2/0.4/4").split("/").map(Number);
const threads = Number(env.THREADS ?? 1);
const settings = {
  config,
  rows: { t2i, lm, mmu },
  taskWeights: { t2i: 1, lm: 0.1, mmu: Number(env.MMU ?? 2) },
  promptDropout: 0,
  dialogues,
  answersAlike: true,
  ...(env.GUESSES && { guesses: Number(env.GUESSES) }),
};
const pictures = tensorsOf(`${teacher}/magvit.safetensors`);
const source = sceneSource({
  atlas: await loadAtlas(),
  domain: DOMAINS[domain],
  seed,
  pixels: magvit.resolution,
  tasks,
  captionShare,
  questions,
});
const codec = pictureCodec(config.imageTokens, 256, config.codebookSize);
const guided = {
  teacher: { config, weights: tensorsOf(`${teacher}/showo.safetensors`) },
  guidance,
  told: Number(env.TOLD ?? 1),
  ...(env.FOLLOW && {
    followed: {
      trajectories: env.FOLLOW.split(",").flatMap((folder) => trajectoriesIn(folder, codec)),
      rows: Number(env.FOLLOW_ROWS ?? t2i / 2),
      steps: (env.FOLLOW_STEPS ?? "0/2/4/6").split("/").map(Number),
    },
  }),
};
const parts = {
  tokenizer: tokenizerFromJson(json(`${teacher}/tokenizer.json`)),
  magvit,
  magvitWeights: (name) => pictures[name],
  threads,
};
const last = await train({
  task: await showoTask({ ...settings, guided, weights: env.START && tensorsOf(env.START), seed }, parts, source, {
    ...settings,
    guidance,
    told: guided.told,
    followed: env.FOLLOW && [env.FOLLOW, guided.followed.rows, guided.followed.steps],
    start: env.START ?? teacher,
    domain,
    seed,
  }),
  out,
  steps: Number(env.STEPS ?? 1500),
  schedule: { kind: "cosine", peak: Number(env.PEAK ?? 3e-4), warmup: 100, floor: 1e-5 },
  optimizer: { betas: [0.9, 0.98], ema: 0.995, weightDecay: 0.01 },
  threads,
  spinning: false,
  every: { log: 20, save: 100, sample: 400 },
  resume: true,
  otherConfig: true,
  onProgress: ({ step, means: { t2i, divergence, mmu, gradNorm }, samplesPerSecond, secondsLeft }) =>
    console.log(
      `step ${step}  t2i ${t2i.toFixed(3)}  divergence ${divergence.toFixed(3)}  mmu ${mmu.toFixed(3)}  |g| ${gradNorm.toFixed(2)}  ${samplesPerSecond.toFixed(1)} rows/s  ${(secondsLeft / 60).toFixed(0)} min left`,
    ),
});
if (!existsSync(`${out}/model`)) cpSync(teacher, `${out}/model`, { recursive: true });
await exportWeights(last, `${out}/model/showo.safetensors`);
const packed = json(`${out}/model/config.json`);
await writeJson(`${out}/model/config.json`, {
  ...packed,
  model: "show-o-mini-unguided",
  defaults: { ...packed.defaults, guidance: 0 },
});
console.log(`${out}/model`);
