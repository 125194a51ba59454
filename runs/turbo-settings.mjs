// What the runs of Show-o Turbo have in common: settings from the environment, progress on the terminal.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { writeJson } from "fewstep/files";
import { distillConfigOf, distillModel } from "fewstep/train";

const { env } = process;
export const threads = env.THREADS ? Number(env.THREADS) : undefined;
const list = (text) => text.split(",").map(Number);
/** What is not named stays as the preset has it. */
const number = (text) => (text === undefined ? undefined : Number(text));

/**
 * Settings of the two-stage run. The environment changes them: STEPS, PASSES, GUIDANCE, TEMPERATURE, SEGMENTS and TEXT_SEGMENTS of
 * both stages ("500,400"), PICTURES and TEXTS to follow, NOISES (0 follows the teacher greedily), TOP_K (of the tokens on the way), LABELS
 * (kept of each distribution; 1 is the likeliest token itself), VERIFIED=1, REDRAWS, REWRITES ("and/above"), ROWS (pictures/texts/plain texts of a step),
 * TEXT_POINTS (of each text), TEXT_WEIGHT, PEAK (of the learning rate), DATA (a domain of scenes), SEED (another one follows other prompts).
 */
export function turboConfig(teacher, more = {}) {
  const steps = list(env.STEPS ?? "500,400");
  /** Of each stage; later stages have what the last one named has. */
  const each = (text) => steps.map((_, i) => list(text)[i] ?? list(text).at(-1));
  const passes = each(env.PASSES ?? "16");
  const guidance = each(env.GUIDANCE ?? "0");
  const temperature = each(env.TEMPERATURE ?? "1");
  const segments = each(env.SEGMENTS ?? "4,2");
  const textSegments = each(env.TEXT_SEGMENTS ?? "2,1");
  const [image, text, lm] = env.ROWS?.split("/").map(Number) ?? [];
  const stages = steps.map((count, i) => ({
    passes: passes[i],
    guidance: guidance[i],
    temperature: temperature[i],
    segments: segments[i],
    textSegments: textSegments[i],
    steps: count,
  }));
  return distillConfigOf({
    name: "turbo-mini",
    teacher,
    ...(env.SEED && { seed: Number(env.SEED) }),
    data: { scenes: env.DATA ?? "quarters" },
    stages,
    trajectories: {
      pictures: number(env.PICTURES),
      texts: number(env.TEXTS),
      noises: number(env.NOISES),
      topK: number(env.TOP_K),
      labels: number(env.LABELS),
      verified: env.VERIFIED === "1",
      redraws: number(env.REDRAWS),
      rewrites: env.REWRITES?.split(",").map((pair) => {
        const [from, to] = pair.split("/").map((words) => ` ${words} `);
        return { from, to };
      }),
    },
    rows: { image, text, lm },
    textPoints: number(env.TEXT_POINTS),
    weights: { text: Number(env.TEXT_WEIGHT ?? 0.2), lm: 0.02 },
    optimizer: { learningRate: Number(env.PEAK ?? 2e-4) },
    // runs/train-guided.mjs has done that.
    unguided: { steps: 0 },
    ...more,
  });
}

/** Distils and says how far it is. */
export const distil = (config, out) =>
  distillModel(config, {
    out,
    threads,
    every: { log: 10, save: 50, sample: 200 },
    onProgress: ({ stage, collecting, training }) => {
      if (collecting) return console.log(`stage ${stage}  ${collecting.what} ${collecting.done}/${collecting.total}`);
      const { step, steps, means, samplesPerSecond, secondsLeft } = training;
      const shown = ["loss", "imageRegularisation", "textRegularisation", "imageDiversity", "textDiversity"];
      const values = shown.map((name) => `${name} ${means[name].toFixed(3)}`).join("  ");
      const speed = `${samplesPerSecond.toFixed(1)} rows/s  ${(secondsLeft / 60).toFixed(0)} min left`;
      console.log(`stage ${stage}  ${step}/${steps}  ${values}  ${speed}`);
    },
  });

/** Copies a model's folder under another name. */
export async function publish(model, folder, name) {
  cpSync(model, folder, { recursive: true });
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  await writeJson(`${folder}/config.json`, { ...config, model: name });
}

/** Trajectories of a run that were made with the same teacher and the same settings need not be made again. */
export function shareTrajectories(from, to) {
  const folder = "stage-1/trajectories";
  if (existsSync(`${from}/${folder}`) && !existsSync(`${to}/${folder}`))
    cpSync(`${from}/${folder}`, `${to}/${folder}`, { recursive: true });
}
