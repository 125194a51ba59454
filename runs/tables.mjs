// What the tables of Show-o Turbo have in common: measurements that are made once and kept, the paper's figures, sections of
// docs/RESULTS.md, pictures. Environment: EVERY (each so many of the 553 prompts; 1), PER_PROMPT (pictures of each; 1),
// IMAGES (scenes to describe; 100), SCENES (quarters), BEST (guidance of the teacher; by the model), THREADS.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadModel } from "fewstep";
import { ceilingsOf, evaluateGeneval } from "fewstep/evaluate";
import { writeAtomic, writeJson } from "fewstep/files";
import { encodePicture } from "fewstep/image";
import { loadDetector } from "fewstep/models/detector";
import { DOMAINS, genevalPrompts, loadAtlas } from "fewstep/scenes";
import { circumstances, table, writeSection } from "../dist/bench/report.js";

export { table };

const { env } = process;
const scenes = env.SCENES ?? "quarters";
const out = "out/tables";
export const threads = env.THREADS ? Number(env.THREADS) : undefined;
mkdirSync(out, { recursive: true });
mkdirSync("docs/pictures", { recursive: true });

export const json = (path) => JSON.parse(readFileSync(path, "utf8"));
export const models = {
  teacher: env.TEACHER ?? "weights/show-o-mini",
  // The student that has learnt to do without guidance, and no more.
  unguided: env.UNGUIDED ?? "weights/turbo-mini",
  star: env.STAR ?? "out/turbo-weights/turbo-star-mini",
  turbo: env.TURBO ?? "out/turbo-weights/turbo-mini",
};
export const best = env.BEST ? Number(env.BEST) : json(`${models.teacher}/config.json`).defaults.guidance;
export const say = (text) => console.error(text);

/** Of a model's weights, whatever its form; its card may change. */
function hashOf(folder) {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(safetensors|onnx|onnx_data)$/.test(name));
  for (const name of files.sort()) hash.update(name).update(readFileSync(`${folder}/${name}`));
  return hash.digest("hex");
}

/** What `fewstep eval` says, from a file if it was asked before of the same weights. */
function measured(command, model, options) {
  const argv = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, `${value}`],
  );
  const key = createHash("sha256")
    .update([hashOf(model), command, ...argv].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const file = `${out}/${key}.json`;
  if (existsSync(file)) return json(file);
  say(`${command} of ${model} ${argv.join(" ")}`);
  const record = ["--record", `${out}/${key}.jsonl`];
  const cores = env.THREADS ? ["--threads", env.THREADS] : [];
  const args = ["dist/cli/main.js", "eval", command, "--model", model, ...argv, ...record, ...cores, "--json"];
  const result = JSON.parse(
    execFileSync(process.execPath, args, {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  writeFileSync(file, JSON.stringify(result));
  return result;
}

export const perPrompt = Number(env.PER_PROMPT ?? 1);
const requests = genevalPrompts(DOMAINS[scenes]).filter((_, i) => i % Number(env.EVERY ?? 1) === 0);
const seed = 1000;

const opened = new Map();
/** A model in this thread, opened once. */
export function open(folder) {
  if (!opened.has(folder)) opened.set(folder, loadModel(folder, { host: "inline", threads }));
  return opened.get(folder);
}

let judging;
/** Detector, scenes as they should be and their reconstructions: the same for all models of one picture tokenizer. */
async function judges(model) {
  const common = {
    detector: await loadDetector(),
    atlas: await loadAtlas(),
    domain: DOMAINS[scenes],
    requests,
    perPrompt,
    seed,
  };
  return { ...common, ceilings: await ceilingsOf(model, common) };
}

/** Of the noise in the order of decisions, by default. */
const temperatureOf = (folder) => json(`${folder}/config.json`).defaults.temperature;

/** GenEval's average and tasks of a model; `draft` says which other model draws the first steps. Measured once and kept. */
export async function geneval(folder, { steps, guidance, topK, draft, temperature = temperatureOf(folder) }) {
  const about = [
    hashOf(folder),
    temperature,
    draft && { ...draft, model: hashOf(draft.model) },
    steps,
    guidance,
    topK,
    requests,
    perPrompt,
    seed,
  ];
  const key = createHash("sha256").update(JSON.stringify(about)).digest("hex").slice(0, 16);
  const file = `${out}/geneval-${key}.json`;
  if (existsSync(file)) return json(file);
  say(
    `geneval of ${folder}, ${steps} steps, guidance ${guidance}${topK ? `, top ${topK}` : ""}${draft ? ", drafted" : ""}`,
  );
  const model = await open(folder);
  const drafting = draft && {
    drafter: await open(draft.model),
    draftSteps: draft.steps,
    draftGuidance: draft.guidance,
  };
  const drawing = {
    ...model,
    generateImage: (text, options) => model.generateImage(text, { ...options, ...drafting }),
  };
  judging ??= judges(model);
  const how = { ...(await judging), steps, guidance, topK, temperature, record: `${out}/geneval-${key}.jsonl` };
  const result = await evaluateGeneval(drawing, how);
  await writeJson(file, result);
  return result;
}

/** Facts of captions, CIDEr, speed. */
export const captions = (model, decoding) =>
  measured("captions", model, { scenes, decoding, images: env.IMAGES ?? 100, seed: 1000 });

export const TASKS = ["two_object", "position", "counting", "colors", "single_object", "color_attr"];
export const share = (x) => (x === undefined ? "" : x.toFixed(3).replace(/^0/, ""));
/** Average with its interval, then tasks in the paper's order. */
export const scores = ({ average, ci95, tasks }) => [
  `${share(average)} (${share(ci95[0])} to ${share(ci95[1])})`,
  ...TASKS.map((task) => share(tasks[task])),
];
export const SCORES = [
  "average (95 %)",
  "two objects",
  "position",
  "counting",
  "colours",
  "one object",
  "colour attribution",
];

/** Writes a section of docs/RESULTS.md, at the end of the page if it is new. */
export async function section(name, title, text) {
  await writeSection("docs/RESULTS.md", name, `${text}\n\n${circumstances()}.`, title);
}

export const save = async (name, picture) =>
  writeAtomic(`docs/pictures/${name}.png`, await encodePicture(picture, "png"));
