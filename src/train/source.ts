/** Where training pictures come from: emoji scenes, or the user's own pictures with captions. Knows no model. */
import { fail, Rng } from "../base/index.ts";
import { type Example, readDataset } from "../files/index.ts";
import { readPicture, resizeAndCrop } from "../image/index.ts";
import {
  type Atlas,
  type Domain,
  factsOf,
  implies,
  makeScene,
  parseFacts,
  type QuestionKind,
  questionsOf,
  type Scene,
  type Split,
  sketchScene,
  type Task,
  words,
} from "../scenes/index.ts";

export interface Dialogue {
  question: string;
  answer: string;
}

/** A picture and what it teaches. */
export interface Lesson {
  /** RGB bytes [height, width, 3]. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Where the objects are; without it every part matters alike. */
  readonly objects?: readonly { x: number; y: number; size: number }[];
  /** A prompt to draw it from. */
  prompt(rng: Rng): string;
  /** A question about it with its answer. */
  dialogue(rng: Rng): Dialogue;
}

export interface Corpus {
  prompts: string[];
  dialogues: Dialogue[];
}

export interface Source {
  /** Side of its pictures. */
  readonly pixels: number;
  /** Lessons first ... first+count-1 of an endless stream: a function of these numbers alone. */
  lessons(first: number, count: number, split: Split): Promise<Lesson[]>;
  /** What it may say, for the vocabulary and the length of rows. */
  corpus(): Corpus;
  /** Whether a description says all that a prompt asks for; absent where words alone cannot tell. */
  fulfils?(prompt: string, description: string): boolean;
  /** Every word of the texts, where they are few. */
  readonly words?: readonly string[];
}

/** The question whose answer is a picture's full caption. */
export const CAPTION_QUESTION = "describe the picture.";

export interface SceneOptions {
  atlas: Atlas;
  domain: Domain;
  seed: number;
  pixels: number;
  /** Share of dialogues that ask for the whole caption; the others ask for one fact. Default 0.5. */
  captionShare?: number;
  /** Share of prompts that are what a person would type; the others tell everything that is true. Default 0.65. */
  promptShare?: number;
  /** How often scenes of each task come; as the domain says by default. */
  tasks?: Partial<Record<Task, number>>;
  /** How often each kind of question is asked beside the others; 1 where nothing is said. */
  questions?: Partial<Record<QuestionKind, number>>;
}

const CORPUS_SCENES = 4000;

export function sceneSource(options: SceneOptions): Source {
  const { atlas, domain, seed, pixels, tasks, captionShare = 0.5, promptShare = 0.65, questions = {} } = options;
  // Questions of its own for each dialogue: what is absent is another class every time.
  const ask = (scene: Scene, rng: Rng): Dialogue => {
    const asked = questionsOf(factsOf(scene), domain, rng);
    const weights = asked.map(({ kind }) => questions[kind] ?? 1);
    let rest = rng.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    // A scene that has none of the kinds that are asked for is asked what it has.
    return asked.find((_, i) => (rest -= weights[i]) < 0) ?? asked[0];
  };
  const lesson = (scene: Scene): Lesson => ({
    pixels: scene.pixels,
    width: scene.width,
    height: scene.height,
    objects: scene.objects,
    prompt: (rng) => (rng.uniform() < promptShare ? scene.prompt : scene.caption),
    dialogue: (rng) =>
      rng.uniform() < captionShare ? { question: CAPTION_QUESTION, answer: scene.caption } : ask(scene, rng),
  });
  return {
    pixels,
    words: words(domain),
    lessons: async (first, count, split) =>
      Array.from({ length: count }, (_, i) =>
        lesson(makeScene(atlas, domain, { seed, index: first + i, split, pixels, tasks })),
      ),
    fulfils(prompt, description) {
      const [asked, shown] = [prompt, description].map((text) => parseFacts(text, domain));
      return Boolean(asked && shown && implies(shown, asked));
    },
    corpus() {
      const scenes = Array.from({ length: CORPUS_SCENES }, (_, index) =>
        sketchScene(domain, { seed: 0, index, split: "train" }),
      );
      return {
        prompts: scenes.flatMap(({ prompt, caption }) => [prompt, caption]),
        dialogues: scenes.flatMap(({ caption, questions }) => [
          { question: CAPTION_QUESTION, answer: caption },
          ...questions,
        ]),
      };
    },
  };
}

/** One example of each so many is kept out of training. */
const HELD_OUT_EVERY = 20;
/** Decoded pictures kept in memory, in bytes. */
const CACHE_BYTES = 2 ** 30;

/** Pictures of a folder, a .jsonl or a LLaVA .json file (see readDataset), cropped to squares; shuffled anew each epoch. */
export function folderSource(path: string, { seed, pixels }: { seed: number; pixels: number }): Source {
  const all = readDataset(path);
  const part = (split: Split) => {
    const examples = all.filter((_, i) => (i % HELD_OUT_EVERY === HELD_OUT_EVERY - 1) === (split === "heldout"));
    // A handful of pictures cannot spare any.
    return examples.length ? examples : all;
  };
  const splits = { train: part("train"), heldout: part("heldout") };
  const cache = new Map<string, Uint8Array>();
  const room = Math.floor(CACHE_BYTES / (3 * pixels * pixels));
  const load = async (image: string): Promise<Uint8Array> => {
    const known = cache.get(image);
    if (known) return known;
    const { data } = resizeAndCrop(await readPicture(image), pixels);
    if (cache.size < room) cache.set(image, data);
    return data;
  };
  const orders = new Map<string, number[]>();
  const exampleAt = (index: number, split: Split): Example => {
    const examples = splits[split];
    const epoch = Math.floor(index / examples.length);
    const key = `${split} ${epoch}`;
    if (!orders.has(key)) {
      orders.clear();
      orders.set(key, new Rng(seed, epoch).shuffle(examples.map((_, i) => i)));
    }
    return examples[orders.get(key)![index % examples.length]];
  };
  return {
    pixels,
    lessons: (first, count, split) =>
      Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const example = exampleAt(first + i, split);
          const dialogues = dialoguesOf(example);
          return {
            pixels: await load(example.image),
            width: pixels,
            height: pixels,
            prompt: () => example.caption ?? dialogues[0].answer,
            dialogue: (rng) => rng.pick(dialogues),
          } satisfies Lesson;
        }),
      ),
    corpus: () => ({
      prompts: all.flatMap(({ caption }) => (caption === undefined ? [] : [caption])),
      dialogues: all.flatMap(dialoguesOf),
    }),
  };
}

function dialoguesOf({ image, caption, conversation = [] }: Example): Dialogue[] {
  const dialogues =
    caption === undefined ? [...conversation] : [{ question: CAPTION_QUESTION, answer: caption }, ...conversation];
  return dialogues.length ? dialogues : fail("a picture without text", { where: image, code: "BAD_FILE" });
}
