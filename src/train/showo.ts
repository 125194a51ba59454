/** Pretrains a small Show-o: drawing by masked denoising, answering, and plain text, in stated proportions. */
import { i64, type NdArray, Rng } from "../base/index.ts";
import { blank, categorical, collect, decodeMasked, seeded } from "../decode/index.ts";
import { writeAtomic } from "../files/index.ts";
import { add, Graph, mul, type Tensor } from "../graph/index.ts";
import { encodePicture, enlarge, postprocess, sheet } from "../image/index.ts";
import { codesOf, decodeCodes, encodePixels, type MagvitConfig, tokenIds } from "../models/magvit/index.ts";
import {
  gridSide,
  imagePredictor,
  imageToTextRow,
  type ShowoConfig,
  showoPrograms,
  textRow,
  textToImageRow,
} from "../models/showo/index.ts";
import { type Arrays, compile, type Program } from "../runtime/index.ts";
import type { Tokenizer } from "../text/index.ts";
import { startingCodes } from "./code-start.ts";
import { isTeachers, withTeacher } from "./frozen-teacher.ts";
import { followedRow, type GuidedRow, guidedFeeds, guidedLosses } from "./guided.ts";
import { pixelsOf } from "./lesson-arrays.ts";
import type { TrainTask } from "./loop.ts";
import { packedDialoguesLoss, packedFeeds } from "./packed-dialogues.ts";
import {
  maskForTraining,
  PRETRAIN_TASKS,
  type PretrainTask,
  pretrainFeeds,
  pretrainLosses,
} from "./pretrain-losses.ts";
import type { Source } from "./source.ts";
import { dialogueIds, slotsFor, withGuess } from "./texts.ts";
import type { ImageTrajectory } from "./trajectories.ts";

export interface ShowoTraining {
  config: ShowoConfig;
  /** Rows of each task in a batch. */
  rows: Readonly<Record<PretrainTask, number>>;
  taskWeights: Readonly<Record<PretrainTask, number>>;
  /** Share of drawing rows whose prompt is left out, for guidance. */
  promptDropout: number;
  /** Dialogues about each picture of an mmu row (default 1). */
  dialogues?: number;
  /**
   * Share of several dialogues whose answer is learnt behind a guess of it instead of the answer itself, so that a model
   * can tell many tokens at once (default 0).
   */
  guesses?: number;
  /** Of several dialogues, every answer counts alike instead of every token of an answer (default false). */
  answersAlike?: boolean;
  /**
   * Pictures are learnt from a frozen teacher that draws with guidance, too, for a student that draws without. `told` weighs
   * the teacher against the pictures themselves (default 1): below it a student may come to draw better than its teacher.
   */
  guided?: {
    teacher: { config: ShowoConfig; weights: Arrays };
    guidance: number;
    told?: number;
    /** So many of the rows to draw are states, before one of these steps, of pictures drawn without guidance. */
    followed?: { trajectories: readonly ImageTrajectory[]; rows: number; steps: readonly number[] };
  };
  /** Weights to start from; default: the teacher's, or none. */
  weights?: Arrays;
  /** Of masks and of what is asked about a picture. */
  seed: number;
}

export interface ShowoParts {
  tokenizer: Tokenizer;
  magvit: MagvitConfig;
  /** Frozen weights of the picture tokenizer. */
  magvitWeights: (name: string) => NdArray | undefined;
  threads?: number;
}

/** Micro-batches of a step have pictures of their own. */
const MOST_MICRO = 64;

export async function showoTask(
  training: ShowoTraining,
  parts: ShowoParts,
  source: Source,
  about: unknown,
): Promise<TrainTask> {
  const { config, rows, taskWeights, promptDropout, dialogues = 1, guesses = 0, answersAlike, guided, seed } = training;
  const perBatch = Math.max(rows.t2i, rows.mmu, rows.lm);
  const encode = await pictureEncoder(parts, perBatch, source.pixels);
  const drawing = dialogues === 1 ? config : withShortPrompts(config, source, parts.tokenizer);
  return {
    name: "showo",
    config: about,
    batchSize: PRETRAIN_TASKS.reduce((n, task) => n + rows[task], 0),
    build(graph) {
      // Tasks with rows of their own are left out of the common ones.
      const common = { ...rows, ...(dialogues > 1 && { mmu: 0 }), ...(guided && { t2i: 0 }) };
      const { total, tasks } = pretrainLosses(graph, drawing, { rows: common, taskWeights });
      const losses = [total];
      const metrics: Record<string, Tensor> = { ...tasks };
      if (dialogues > 1) {
        metrics.mmu = packedDialoguesLoss(graph, config, { rows: rows.mmu, turns: dialogues });
        losses.push(mul(metrics.mmu, taskWeights.mmu));
      }
      if (guided) {
        const { teacher, guidance, told: weight = 1 } = guided;
        const shape = { rows: rows.t2i, guidance, teacher: teacher.config };
        const { told, divergence, seen } = guidedLosses(graph, drawing, shape);
        losses.push(mul(add(mul(told, weight), seen), taskWeights.t2i));
        Object.assign(metrics, { t2i: seen, divergence });
      }
      return { loss: losses.reduce(add), metrics };
    },
    async batch(step, micro) {
      const rng = new Rng(seed, step, micro * 2 ** 20);
      const lessons = await source.lessons((step * MOST_MICRO + micro) * perBatch, perBatch, "train");
      const codes = await encode(pixelsOf(lessons));
      const { followed } = guided ?? {};
      const drawn = lessons.slice(0, rows.t2i).map((lesson, i): GuidedRow => {
        if (followed && i < followed.rows)
          return followedRow(rng.pick(followed.trajectories), rng.pick(followed.steps));
        const uniforms = Float32Array.from({ length: config.imageTokens }, () => rng.uniform());
        const masked = maskForTraining(codes[i], rng.uniform(), uniforms);
        const text = parts.tokenizer.encode(lesson.prompt(rng));
        return { text: rng.uniform() < promptDropout ? [] : text, masked };
      });
      const lm = lessons.slice(0, rows.lm).map((lesson) => {
        const { question, answer } = lesson.dialogue(rng);
        return textRow(drawing, parts.tokenizer.encode(`${question} ${answer} ${lesson.prompt(rng)}`));
      });
      const asked = lessons.slice(0, rows.mmu).map((lesson, i) => ({
        codes: codes[i],
        dialogues: Array.from({ length: dialogues }, () => {
          const ids = dialogueIds(config, parts.tokenizer, lesson.dialogue(rng));
          return guesses && rng.uniform() < guesses ? withGuess(ids, config.endOfText, rng) : ids;
        }),
      }));
      const t2i = guided
        ? []
        : drawn.map(({ text, masked }) => textToImageRow(drawing, text, masked.ids, masked.labels));
      const alone = dialogues > 1 ? [] : asked;
      const mmu = alone.map(({ codes, dialogues: [{ text, questionLength }] }) =>
        imageToTextRow(config, codes, text, questionLength),
      );
      return {
        ...pretrainFeeds(drawing, { t2i, lm, mmu }),
        ...(dialogues > 1 && packedFeeds(config, asked, { answersAlike })),
        ...(guided && guidedFeeds(drawing, drawn)),
      };
    },
    weights: startOf(training, parts),
    frozen: guided && isTeachers,
    // As in Phi's own training: norms and biases are vectors and never decay.
    decays: (_name, shape) => shape.length > 1,
    sample: (weights, _step, dir) =>
      drawPrompts({ config, weights, guidance: guided ? 0 : 1 }, parts, source, `${dir}/pictures.png`),
  };
}

function startOf({ config, guided, weights, seed }: ShowoTraining, { magvit }: ShowoParts): Arrays {
  const start = weights ?? guided?.teacher.weights ?? startingCodes(config, magvit.bits, seed);
  return guided ? withTeacher(start, guided.teacher.weights) : start;
}

/**
 * The same model with no more text slots than prompts fill: pads are hidden and only differences of positions matter, so
 * the losses are the same. Dialogues, which are longer, have rows of their own.
 */
function withShortPrompts(config: ShowoConfig, source: Source, tokenizer: Tokenizer): ShowoConfig {
  const slots = slotsFor({ prompts: source.corpus().prompts, dialogues: [] }, tokenizer);
  return { ...config, maxTextTokens: Math.min(config.maxTextTokens, slots) };
}

/** Pixels [B, 3, H, W] to rows of codebook ids, by the frozen tokenizer. */
async function pictureEncoder({ magvit, magvitWeights, threads }: ShowoParts, batch: number, pixels: number) {
  const graph = new Graph();
  graph.output("ids", tokenIds(encodePixels(graph.input("pixels", "float32", [batch, 3, pixels, pixels]), magvit)));
  const program = await compile(graph, { weights: magvitWeights, threads, spinning: false });
  return async (input: NdArray): Promise<Int32Array[]> => {
    const { ids } = await program.run({ pixels: input });
    const cells = ids.shape[1];
    return Array.from({ length: batch }, (_, b) =>
      Int32Array.from(ids.data.subarray(b * cells, (b + 1) * cells) as BigInt64Array, Number),
    );
  };
}

/** Codebook ids of `batch` pictures back to pixels. */
export function pictureDecoder(
  { magvit, magvitWeights, threads }: ShowoParts,
  batch: number,
  side: number,
): Promise<Program> {
  const graph = new Graph();
  const ids = graph.input("ids", "int64", [batch, side * side]);
  graph.output("pixels", decodeCodes(codesOf(ids, magvit.bits, side, side), magvit));
  return compile(graph, { weights: magvitWeights, threads, spinning: false });
}

const SHEET = { columns: 6, rows: 6, steps: 16, pixels: 128 };

/** Pictures from held-out prompts, as a PNG with the prompts beneath. */
async function drawPrompts(
  { config, weights, guidance }: { config: ShowoConfig; weights: Arrays; guidance: number },
  parts: ShowoParts,
  source: Source,
  path: string,
): Promise<void> {
  const count = SHEET.columns * SHEET.rows;
  const rng = new Rng(1);
  const prompts = (await source.lessons(0, count, "heldout")).map((lesson) => lesson.prompt(rng));
  const programs = showoPrograms(config, (name) => weights[name], { threads: parts.threads, spinning: false });
  const model = await imagePredictor(programs, {
    prompts: prompts.map((prompt) => parts.tokenizer.encode(prompt)),
    guidance,
  });
  const states = await collect(
    decodeMasked(model, blank(count, config.imageTokens), {
      passes: SHEET.steps,
      sample: categorical({ noise: seeded(1, "sample") }),
      noise: seeded(1, "remask"),
    }),
  );
  const decoder = await pictureDecoder(parts, count, gridSide(config));
  const ids = i64([count, config.imageTokens], states.at(-1)!.canvas.ids_BL);
  const { pixels } = await decoder.run({ ids });
  const pictures = postprocess(pixels as NdArray<"float32">).map((small) => enlarge(small, SHEET.pixels, SHEET.pixels));
  const drawn = sheet(pictures, { columns: SHEET.columns, captions: prompts, gap: 4 });
  await writeAtomic(path, await encodePicture(drawn, "png"));
  await Promise.all([programs.dispose(), decoder.dispose()]);
}
