// What the tables of Show-o Turbo have in common: measurements that are made once and kept, the paper's figures, sections of
// docs/RESULTS.md, pictures. Environment: EVERY (each so many of the 553 prompts; 1), PER_PROMPT (pictures of each; 1),
// IMAGES (scenes to describe; 100), SCENES (easy), GUIDANCE (the teacher's best; by the model), THREADS.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeAtomic, writeJson } from "fewstep/files";
import { encodePicture } from "fewstep/image";
import { DOMAINS, genevalPrompts } from "fewstep/scenes";
import { circumstances, table, writeSection } from "../dist/bench/report.js";

export { table };

const { env } = process;
const scenes = env.SCENES ?? "easy";
const out = "out/tables";
mkdirSync(out, { recursive: true });
mkdirSync("docs/pictures", { recursive: true });

export const json = (path) => JSON.parse(readFileSync(path, "utf8"));
export const models = {
  teacher: env.TEACHER ?? "weights/show-o-mini",
  star: env.STAR ?? "weights/turbo-star-mini",
  turbo: env.TURBO ?? "weights/turbo-mini",
};
export const best = env.GUIDANCE ? Number(env.GUIDANCE) : json(`${models.teacher}/config.json`).defaults.guidance;
export const say = (text) => console.error(text);

/** Each so many of the prompts, in all tasks. */
function promptFile() {
  const every = Number(env.EVERY ?? 1);
  const file = `${out}/prompts-${scenes}-${every}.tsv`;
  const lines = genevalPrompts(DOMAINS[scenes]).filter((_, i) => i % every === 0);
  writeFileSync(file, lines.map(({ task, prompt }) => `${task}\t${prompt}\n`).join(""));
  return file;
}

const hashOf = (folder) =>
  createHash("sha256")
    .update(readFileSync(`${folder}/showo.safetensors`))
    .digest("hex");

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

export const prompts = promptFile();
export const perPrompt = Number(env.PER_PROMPT ?? 1);

/** GenEval's average and tasks of a model. */
export const geneval = (model, { steps, guidance, topK }) =>
  measured("geneval", model, { scenes, steps, guidance, "top-k": topK, prompts, "per-prompt": perPrompt, seed: 1000 });

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
  const page = readFileSync("docs/RESULTS.md", "utf8");
  if (!page.includes(`<!-- ${name} -->`))
    await writeAtomic("docs/RESULTS.md", `${page.trimEnd()}\n\n## ${title}\n\n<!-- ${name} -->\n<!-- /${name} -->\n`);
  await writeSection("docs/RESULTS.md", name, `${text}\n\n${circumstances()}.`);
}

export const save = async (name, picture) =>
  writeAtomic(`docs/pictures/${name}.png`, await encodePicture(picture, "png"));
export { writeJson };
