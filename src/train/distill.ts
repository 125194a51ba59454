/**
 * Consistency distillation from a teacher's folder to a student's (Show-o Turbo, section 3): trajectories, training, a
 * model; then the same again with that model as the teacher. Killed at any moment, it goes on where it was.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Rng } from "../base/index.ts";
import { blank, categorical, decodeMasked, finish, seeded } from "../decode/index.ts";
import { writeAtomic } from "../files/index.ts";
import { encodePicture, enlarge, postprocess, sheet } from "../image/index.ts";
import { saveModel } from "../models/index.ts";
import { gridSide, imagePredictor, promptRoom, showoPrograms, vocabularyOf } from "../models/showo/index.ts";
import { DOMAINS, loadAtlas } from "../scenes/index.ts";
import { exportWeights } from "./checkpoint.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import { distillTask, fromMemory, type TrajectorySource } from "./distill-task.ts";
import { checkFit, followPictures, followText, openTeacher, type TeacherModel, tensorsOf } from "./distill-teacher.ts";
import { type Progress, type TrainOptions, train } from "./loop.ts";
import { mergeLora } from "./lora.ts";
import { folderSource, type Source, sceneSource } from "./source.ts";
import type { ImageTrajectory, TextTrajectory } from "./trajectories.ts";
import {
  type Collection,
  type CollectOptions,
  collectTrajectories,
  pictureCodec,
  readTrajectories,
  textCodec,
} from "./trajectory-files.ts";

export interface DistillProgress {
  /** 1 is the first. */
  readonly stage: number;
  readonly stages: number;
  /** While trajectories are collected. */
  readonly collecting?: { readonly what: "pictures" | "texts"; readonly done: number; readonly total: number };
  /** While the student is trained. */
  readonly training?: Progress;
}

export interface DistillRunOptions {
  /** Folder of the run: `stage-1/model`, `stage-2/model`, ... come out in it. */
  out: string;
  threads?: number;
  signal?: AbortSignal;
  every?: TrainOptions["every"];
  onProgress?(progress: DistillProgress): void;
}

/** Runs all stages and returns the folder of the last student. Errors: a student that does not fit, DIVERGED, ABORTED. */
export async function distillModel(config: DistillConfig, options: DistillRunOptions): Promise<string> {
  let [teacher, student] = [config.teacher, config.student ?? config.teacher];
  for (const [i, stage] of config.stages.entries()) {
    const out = join(options.out, `stage-${i + 1}`);
    const model = join(out, "model");
    if (!existsSync(join(model, "config.json"))) {
      const tell = (progress: Pick<DistillProgress, "collecting" | "training">) =>
        options.onProgress?.({ stage: i + 1, stages: config.stages.length, ...progress });
      await distillStage(config, stage, { teacher, student, out }, { ...options, tell });
    }
    teacher = student = model;
  }
  return teacher;
}

/**
 * Collects trajectories of the first stage that is not done, beside other processes that do the same; `part` 0 ... parts-1
 * says which. Returns whether there was anything to do.
 */
export async function collectStage(
  config: DistillConfig,
  { out, threads, signal, part, parts, onProgress }: DistillRunOptions & Pick<CollectOptions, "part" | "parts">,
): Promise<boolean> {
  const done = (i: number) => existsSync(join(out, `stage-${i + 1}`, "model", "config.json"));
  const i = config.stages.findIndex((_, at) => !done(at));
  if (i < 0) return false;
  const folder = join(out, `stage-${i + 1}`);
  const teacher = await openTeacher(i === 0 ? config.teacher : join(out, `stage-${i}`, "model"), { threads });
  try {
    const tell = ({ collecting }: Pick<DistillProgress, "collecting">) =>
      onProgress?.({ stage: i + 1, stages: config.stages.length, collecting });
    await collect(await collectionsOf(config, config.stages[i], teacher, folder), { part, parts, signal }, tell);
    return true;
  } finally {
    await teacher.dispose();
  }
}

type Tell = (progress: Pick<DistillProgress, "collecting" | "training">) => void;

async function distillStage(
  config: DistillConfig,
  stage: DistillStage,
  { teacher: name, student, out }: { teacher: string; student: string; out: string },
  { threads, signal, every, tell }: DistillRunOptions & { tell: Tell },
): Promise<void> {
  const teacher = await openTeacher(name, { threads });
  const start = student === name ? teacher : await openTeacher(student, { threads });
  try {
    checkFit(teacher, start);
    const data = await dataOf(config, teacher.networks.config.magvit.resolution);
    const source = await trajectoriesOf(config, stage, { teacher, data, out, signal }, tell);
    const { showo } = start.networks.config;
    const weights = tensorsOf(join(start.folder, "showo.safetensors"));
    const sample = sampler(config, teacher, start, data);
    const checkpoint = await train({
      task: distillTask(config, stage, { showo, weights, teacher: teacher.hash, source, sample }),
      out: join(out, "run"),
      steps: stage.steps,
      micro: config.micro,
      seed: config.seed,
      schedule: scheduleOf(config, stage),
      optimizer: { weightDecay: config.optimizer.weightDecay, ema: config.optimizer.ema },
      every,
      resume: true,
      threads,
      spinning: false,
      signal,
      onProgress: (training) => tell({ training }),
    });
    await pack(config, stage, { teacher, student: start, checkpoint, out });
  } finally {
    await teacher.dispose();
    if (start !== teacher) await start.dispose();
  }
}

function scheduleOf({ optimizer: { learningRate: peak, kind, warmup } }: DistillConfig, { steps }: DistillStage) {
  return { kind, peak, warmup: Math.min(warmup, steps), ...(kind === "cosine" && { floor: peak / 20 }) };
}

/** What there is to draw, to ask and to say. */
interface Data {
  readonly source: Source;
  readonly prompts: readonly string[];
  readonly plain: readonly string[];
}

/** Mostly captions: other answers are too short to be decoded in fewer passes. */
const CAPTION_SHARE = 0.8;

async function dataOf({ data, seed }: DistillConfig, pixels: number): Promise<Data> {
  const source =
    "folder" in data
      ? folderSource(data.folder, { seed, pixels })
      : sceneSource({
          atlas: await loadAtlas(),
          domain: DOMAINS[data.scenes],
          seed,
          pixels,
          captionShare: CAPTION_SHARE,
        });
  const { prompts, dialogues } = source.corpus();
  const rng = new Rng(seed);
  return {
    source,
    prompts: rng.shuffle([...prompts]),
    plain: rng.shuffle([...dialogues.map(({ question, answer }) => `${question} ${answer}`), ...prompts]),
  };
}

const textAt = (texts: readonly string[], index: number): string => texts[index % texts.length];

/** Follows the teacher through what is asked for with numbers first ... first+count-1. */
const recorders = (
  config: DistillConfig,
  stage: DistillStage,
  teacher: TeacherModel,
  data: Data,
  signal?: AbortSignal,
) => ({
  pictures: (first: number, count: number): Promise<ImageTrajectory[]> => {
    const room = promptRoom(teacher.networks.config.showo);
    const prompts = Array.from({ length: count }, (_, i) =>
      teacher.text.encode(textAt(data.prompts, first + i)).slice(0, room),
    );
    const { passes, guidance } = stage;
    return followPictures(teacher, prompts, { passes, guidance, labels: config.trajectories.labels, signal });
  },
  texts: async (first: number, count: number): Promise<TextTrajectory[]> => {
    const all: TextTrajectory[] = [];
    for (const [i, lesson] of (await data.source.lessons(first, count, "train")).entries()) {
      const seed = config.seed + first + i;
      const { question } = lesson.dialogue(new Rng(seed, 1));
      all.push(...(await followText(teacher, lesson, question, { ...config.trajectories, seed })));
    }
    return all;
  },
});

interface Collecting<T> {
  collection: Collection<T>;
  record(first: number, count: number): Promise<readonly T[]>;
}

/** Pictures of a chunk are drawn at once. */
const CHUNK = 16;

async function collectionsOf(
  config: DistillConfig,
  stage: DistillStage,
  teacher: TeacherModel,
  out: string,
  data?: Data,
): Promise<{ pictures: Collecting<ImageTrajectory>; texts: Collecting<TextTrajectory> }> {
  const { seed, trajectories } = config;
  const { showo } = teacher.networks.config;
  const { pictures: count, texts, labels, block, answerTokens = 0, skipsRepetition } = trajectories;
  const { passes, guidance } = stage;
  const common = { folder: join(out, "trajectories"), chunk: CHUNK };
  const origin = { teacher: teacher.hash, data: JSON.stringify(config.data), seed };
  const record = recorders(
    config,
    stage,
    teacher,
    data ?? (await dataOf(config, teacher.networks.config.magvit.resolution)),
  );
  return {
    pictures: {
      record: record.pictures,
      collection: {
        ...common,
        count,
        origin: { ...origin, passes, guidance, labels },
        codec: pictureCodec(showo.imageTokens, passes, showo.codebookSize),
      },
    },
    texts: {
      record: record.texts,
      collection: {
        ...common,
        count: texts,
        origin: { ...origin, block, answerTokens, skipsRepetition: `${skipsRepetition}` },
        codec: textCodec(vocabularyOf(showo).size),
      },
    },
  };
}

async function collect(
  { pictures, texts }: Awaited<ReturnType<typeof collectionsOf>>,
  options: CollectOptions,
  tell: Tell,
): Promise<void> {
  const each = (what: "pictures" | "texts", total: number) => (done: number) =>
    tell({ collecting: { what, done: Math.min(done * CHUNK, total), total } });
  const progress = {
    pictures: each("pictures", pictures.collection.count),
    texts: each("texts", texts.collection.count),
  };
  await collectTrajectories(pictures.collection, pictures.record, { ...options, onProgress: progress.pictures });
  await collectTrajectories(texts.collection, texts.record, { ...options, onProgress: progress.texts });
}

/** Trajectories for training: from files, collected first where they are missing, or from the teacher at every step. */
async function trajectoriesOf(
  config: DistillConfig,
  stage: DistillStage,
  { teacher, data, out, signal }: { teacher: TeacherModel; data: Data; out: string; signal?: AbortSignal },
  tell: Tell,
): Promise<TrajectorySource> {
  const plain = (rng: Rng) => teacher.text.encode(textAt(data.plain, rng.int(data.plain.length)));
  if (config.trajectories.from === "files") {
    const collections = await collectionsOf(config, stage, teacher, out, data);
    await collect(collections, { signal }, tell);
    const { pictures, texts } = collections;
    return fromMemory(readTrajectories(pictures.collection), readTrajectories(texts.collection), plain);
  }
  const record = recorders(config, stage, teacher, data, signal);
  const anywhere = (rng: Rng, count: number) => rng.int(2 ** 24) * count;
  return {
    plain,
    pictures: (rng, count) => record.pictures(anywhere(rng, count), count),
    async texts(rng, count) {
      const found: TextTrajectory[] = [];
      while (found.length < count)
        found.push(...(await record.texts(anywhere(rng, 1), 1)).slice(0, count - found.length));
      return found;
    },
  };
}

const SHEET = { pictures: 12, columns: 6, size: 128 };

/** Held-out prompts drawn by the student as it will be used. */
function sampler(config: DistillConfig, teacher: TeacherModel, student: TeacherModel, { source }: Data) {
  return async (weights: Parameters<typeof mergeLora>[0], _step: number, dir: string): Promise<void> => {
    const { showo } = student.networks.config;
    const plain = config.lora ? mergeLora(weights, config.lora) : weights;
    const programs = showoPrograms(showo, (name) => plain[name], { spinning: false });
    const rng = new Rng(1);
    const prompts = (await source.lessons(0, SHEET.pictures, "heldout")).map((lesson) => lesson.prompt(rng));
    const { steps: passes, guidance, topK } = config.defaults;
    const model = await imagePredictor(programs, {
      prompts: prompts.map((text) => teacher.text.encode(text)),
      guidance,
    });
    const sample = categorical({ noise: seeded(1, "sample"), topK });
    const canvas = blank(prompts.length, showo.imageTokens);
    const { ids_BL } = (await finish(decodeMasked(model, canvas, { passes, sample, noise: seeded(1, "remask") })))
      .canvas;
    const side = gridSide(showo);
    const pictures = [];
    for (const i of prompts.keys()) {
      const ids = ids_BL.slice(i * side * side, (i + 1) * side * side);
      const [small] = postprocess(await teacher.networks.tokenizer.decode(ids, side, side));
      pictures.push(enlarge(small, SHEET.size, SHEET.size));
    }
    const drawn = sheet(pictures, { columns: SHEET.columns, captions: prompts, gap: 4 });
    await writeAtomic(join(dir, "pictures.png"), await encodePicture(drawn, "png"));
    await programs.dispose();
  };
}

/** Writes the student's folder: its averaged weights, everything else as its teacher's. */
async function pack(
  config: DistillConfig,
  stage: DistillStage,
  {
    teacher,
    student,
    checkpoint,
    out,
  }: { teacher: TeacherModel; student: TeacherModel; checkpoint: string; out: string },
): Promise<void> {
  const file = join(out, "run", "weights.safetensors");
  await exportWeights(checkpoint, file);
  const weights = tensorsOf(file);
  const magvit = tensorsOf(join(teacher.folder, "magvit.safetensors"));
  await saveModel(join(out, "model"), {
    config: { ...student.networks.config, model: config.name, defaults: config.defaults },
    showo: new Map(Object.entries(config.lora ? mergeLora(weights, config.lora) : weights)),
    magvit: new Map(Object.entries(magvit)),
    tokenizer: JSON.parse(readFileSync(join(teacher.folder, "tokenizer.json"), "utf8")),
    card: cardOf(config, stage, teacher),
  });
}

/** A model card that says what the run knows; figures are added by who measures them. */
function cardOf(config: DistillConfig, stage: DistillStage, teacher: TeacherModel): string {
  const { rows, micro, lora, defaults, trajectories } = config;
  const collected =
    trajectories.from === "files"
      ? `${trajectories.pictures} pictures and answers to ${trajectories.texts} questions`
      : "drawn anew for every step";
  return [
    `# ${config.name}`,
    "",
    `${teacher.networks.config.model} distilled to draw in ${defaults.steps} steps and to write several tokens a pass.`,
    "",
    `- Trajectories: ${stage.passes} steps, guidance ${stage.guidance}, ${collected}`,
    `- Segments: ${stage.segments} of a picture, ${stage.textSegments} of each round of a text`,
    `- Training: ${stage.steps} steps of ${micro * rows.image} pictures and ${micro * rows.text} texts`,
    ...(lora ? [`- Low-rank additions of rank ${lora.rank}, merged`] : []),
    "",
  ].join("\n");
}
