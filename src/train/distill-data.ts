/**
 * What a distillation learns from: prompts, questions and plain texts, and the trajectories of a teacher that follows them,
 * from files or as they are asked for. Knows no student.
 */
import { join } from "node:path";
import { fail, Rng } from "../base/index.ts";
import { promptRoom, vocabularyOf } from "../models/showo/index.ts";
import { DOMAINS, loadAtlas } from "../scenes/index.ts";
import type { DistillConfig, DistillStage } from "./distill-config.ts";
import { fromMemory, type TrajectorySource } from "./distill-task.ts";
import { describePicture, followPictures, followText, type TeacherModel } from "./distill-teacher.ts";
import type { Progress } from "./loop.ts";
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
  /** 1 is the first; 0 learns to do without guidance. */
  readonly stage: number;
  readonly stages: number;
  /** While trajectories are collected. */
  readonly collecting?: { readonly what: "pictures" | "texts"; readonly done: number; readonly total: number };
  /** While the student is trained. */
  readonly training?: Progress;
}

export type Tell = (progress: Pick<DistillProgress, "collecting" | "training">) => void;

/** What there is to draw, to ask and to say. */
export interface Data {
  readonly source: Source;
  readonly prompts: readonly string[];
  readonly plain: readonly string[];
}

/** Mostly captions: other answers are too short to be decoded in fewer passes. */
const CAPTION_SHARE = 0.8;

/** Errors: pictures that are to be read, and nothing that could tell whether they are right. */
export async function dataOf({ data, seed, trajectories }: DistillConfig, pixels: number): Promise<Data> {
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
  if ((trajectories.verified || trajectories.redraws) && !source.fulfils)
    fail("pictures of a folder cannot be verified", {
      where: "trajectories, verified and redraws",
      expected: "scenes, whose words say what is right",
      hint: "Leave both out.",
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

const REDRAW_TEMPERATURE = 0.5;
/** Between the seeds of two attempts, more than pictures are ever collected. */
const FAR = 2 ** 24;

/** Follows the teacher through what is asked for with numbers first ... first+count-1. */
const recorders = (
  config: DistillConfig,
  stage: DistillStage,
  teacher: TeacherModel,
  data: Data,
  signal?: AbortSignal,
) => ({
  pictures: async (first: number, count: number): Promise<ImageTrajectory[]> => {
    const room = promptRoom(teacher.networks.config.showo);
    const { passes, guidance, temperature } = stage;
    const { labels, noises, topK, redraws, rewrites, verified } = config.trajectories;
    const learnt = Array.from({ length: count }, (_, i) => textAt(data.prompts, first + i));
    const asked = learnt.map((text) => rewrites.reduce((said, { from, to }) => said.replaceAll(from, to), text));
    const encode = (prompt: string) => teacher.text.encode(prompt).slice(0, room);
    const prompts = asked.map(encode);
    const seeds = noises ? prompts.map((_, i) => config.seed + ((first + i) % noises)) : undefined;
    const common = { passes, guidance, labels, signal };
    const drawn = await followPictures(teacher, prompts, { ...common, temperature, topK, seeds });
    /** The trajectories of `indices`, or of all, each with the prompt it teaches. */
    const taught = (indices = [...drawn.keys()]) =>
      indices.map((index) => ({ ...drawn[index], prompt: encode(learnt[index]) }));
    if (!verified && redraws === 0) return taught();

    /** Those of `indices` whose pictures the teacher describes otherwise than they were asked for. */
    const wrongOf = async (indices: readonly number[], pictures: readonly ImageTrajectory[]): Promise<number[]> => {
      const wrong: number[] = [];
      for (const [i, index] of indices.entries())
        if (!data.source.fulfils?.(asked[index], await describePicture(teacher, pictures[i].ids_L))) wrong.push(index);
      return wrong;
    };
    let wrong = await wrongOf([...drawn.keys()], drawn);
    for (let redraw = 1; redraw <= redraws && wrong.length; redraw++) {
      const others = await followPictures(
        teacher,
        wrong.map((index) => prompts[index]),
        {
          ...common,
          // What was drawn greedily needs noise to become another picture.
          temperature: (noises ? (temperature ?? 1) : 0) || REDRAW_TEMPERATURE,
          topK: noises ? topK : 1,
          seeds: wrong.map((index) => config.seed + first + index + redraw * FAR),
        },
      );
      const still = await wrongOf(wrong, others);
      for (const [i, index] of wrong.entries()) if (!still.includes(index)) drawn[index] = others[i];
      wrong = still;
    }
    return taught([...drawn.keys()].filter((index) => !verified || !wrong.includes(index)));
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

export async function collectionsOf(
  config: DistillConfig,
  stage: DistillStage,
  teacher: TeacherModel,
  out: string,
  data?: Data,
): Promise<{ pictures: Collecting<ImageTrajectory>; texts: Collecting<TextTrajectory> }> {
  const { seed, trajectories } = config;
  const { showo } = teacher.networks.config;
  const { pictures: count, texts, labels, noises, topK = 0, redraws, rewrites, verified } = trajectories;
  const { block, answerTokens = 0, skipsRepetition } = trajectories;
  const { passes, guidance, temperature = 1 } = stage;
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
        origin: {
          ...origin,
          ...{ passes, guidance, temperature, labels, noises, topK, verified: `${verified}` },
          ...(redraws && { redraws }),
          ...(rewrites.length && { rewrites: JSON.stringify(rewrites) }),
        },
        codec: pictureCodec(showo.imageTokens, passes, showo.codebookSize),
      },
    },
    texts: {
      record: record.texts,
      collection: {
        ...common,
        // Texts are learnt from the data where states of pictures are.
        count: stage.followed ? 0 : texts,
        origin: { ...origin, block, answerTokens, skipsRepetition: `${skipsRepetition}` },
        codec: textCodec(vocabularyOf(showo).size),
      },
    },
  };
}

export async function collect(
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
export async function trajectoriesOf(
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
