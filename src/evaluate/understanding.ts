/** How well a model reads pictures: captions whose facts are right, and questions, on scenes it has never seen. */
import { throwIfAborted } from "../base/index.ts";
import type { Picture } from "../image/index.ts";
import {
  type Atlas,
  type Domain,
  type Facts,
  factsOf,
  makeScene,
  parseFacts,
  type QuestionKind,
  type Scene,
  type Split,
  sameFacts,
  scenePixels,
} from "../scenes/index.ts";
import type { DescribeOptions, TextResult } from "../tasks/index.ts";
import { cider } from "./cider.ts";
import { type Share, Tally } from "./interval.ts";
import { openRecord } from "./record.ts";

/** What is asked of a model here; a loaded `Model` has it. */
export interface Reader {
  readonly config: { readonly magvit: { readonly resolution: number } };
  describe(picture: Picture, question?: string, options?: DescribeOptions): PromiseLike<Reading>;
}

/** An answer; `slots` are those that the model evaluated, where they are counted. */
export type Reading = Pick<TextResult, "text" | "tokens" | "passes" | "timings"> & { slots?: number };

export interface UnderstandingOptions {
  atlas: Atlas;
  domain: Domain;
  images: number;
  seed: number;
  split?: Split;
  decoding?: "jacobi" | "ar";
  /** How answers are written besides, such as the block or a drafter. */
  reading?: DescribeOptions;
  /** Writes every caption once more token by token, to compare text and speed. Default: where decoding is another. */
  compare?: boolean;
  /** A .jsonl file that keeps every answer: measured again it goes on where it was. */
  record?: string;
  /** What the record is about besides these settings, such as a hash of the model. */
  about?: object;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

const FACTS = ["objects", "counts", "colors", "relation", "background"] as const;
type FactName = (typeof FACTS)[number];

export interface Understanding {
  images: number;
  /** Captions all of whose facts are right. */
  facts: Share;
  /** Captions right about one kind of fact; relation only where there is one. */
  byFact: Record<FactName, Share>;
  /** Captions against the one true caption of each scene, times 10. Absent for a single picture, where nothing is rare. */
  cider?: number;
  ciderD?: number;
  yesNo: Share;
  /** Questions with other answers. */
  oneWord: Share;
  byQuestion: Partial<Record<QuestionKind, Share>>;
  /** Of captions; answers are too short to tell. */
  tokensPerSecond: number;
  tokensPerPass: number;
  /** Slots that the model evaluated for each token, where they were counted. */
  slotsPerToken?: number;
  /** Captions written token by token in the same run. */
  autoregressive?: { identical: Share; tokensPerSecond: number };
  /** The first wrong captions, to look at. */
  mistakes: { said: string; true: string }[];
}

/** What is kept of one picture. */
interface Entry {
  caption: Written;
  autoregressive?: Written;
  answers: string[];
}

interface Written {
  text: string;
  tokens: number;
  passes: number;
  milliseconds: number;
  slots?: number;
}

const YES_NO: QuestionKind[] = ["presence", "color_presence"];
const ONE_WORD: QuestionKind[] = ["count", "color", "relation"];
const SHOWN_MISTAKES = 10;

/** Asks the model for a caption and every question of `images` scenes, through the same path that users take. */
export async function evaluateUnderstanding(model: Reader, options: UnderstandingOptions): Promise<Understanding> {
  const { atlas, domain, images, seed, split = "heldout", decoding = "jacobi", signal, onProgress } = options;
  const { compare = decoding !== "ar" } = options;
  const captions = new Tally<FactName | "all">();
  const questions = new Tally<QuestionKind>();
  const mistakes: Understanding["mistakes"] = [];
  const entries: Entry[] = [];
  const references: string[] = [];
  const pixels = scenePixels(model.config.magvit.resolution);
  const how = { compare, reading: { ...options.reading, decoding, seed, signal } };
  let warm = false;
  const record = openRecord<Entry>(options.record, { seed, split, decoding, compare, ...options.about });
  try {
    for (let index = 0; index < images; index++) {
      throwIfAborted(signal);
      const scene = makeScene(atlas, domain, { seed, index, split, pixels });
      let entry = record.known(index);
      if (!entry) {
        // What is compiled and measured on first use must not count as time for writing.
        if (!warm) await readScene(model, { ...scene, questions: [] }, how);
        warm = true;
        record.add(index, (entry = await readScene(model, scene, how)));
      }
      entries.push(entry);
      references.push(scene.caption);

      const { text } = entry.caption;
      const right = factsOf(scene);
      const said = parseFacts(text, domain);
      const all = said !== undefined && sameFacts(said, right);
      captions.add("all", all);
      for (const fact of FACTS)
        if (fact !== "relation" || right.relation !== null)
          captions.add(fact, said !== undefined && sameFact(fact, said, right));
      if (!all && mistakes.length < SHOWN_MISTAKES) mistakes.push({ said: text, true: scene.caption });
      for (const [i, { answer, kind }] of scene.questions.entries()) questions.add(kind, entry.answers[i] === answer);
      onProgress?.(index + 1, images);
    }
  } finally {
    record.close();
  }

  const written = entries.map((entry) => entry.caption);
  const rivals = entries.flatMap(({ autoregressive }) => autoregressive ?? []);
  const same = new Tally<"same">();
  for (const [i, { text }] of rivals.entries()) same.add("same", text === written[i].text);
  const consensus =
    images > 1
      ? cider(
          written.map(({ text }) => text),
          references.map((caption) => [caption]),
        )
      : undefined;
  return {
    images,
    facts: captions.share("all"),
    byFact: Object.fromEntries(FACTS.map((fact) => [fact, captions.share(fact)])) as Record<FactName, Share>,
    cider: consensus?.cider,
    ciderD: consensus?.ciderD,
    yesNo: questions.share(...YES_NO),
    oneWord: questions.share(...ONE_WORD),
    byQuestion: Object.fromEntries([...YES_NO, ...ONE_WORD].map((kind) => [kind, questions.share(kind)])),
    tokensPerSecond: speedOf(written),
    tokensPerPass: total(written, "tokens") / total(written, "passes"),
    slotsPerToken: written[0].slots === undefined ? undefined : total(written, "slots") / total(written, "tokens"),
    autoregressive: rivals.length ? { identical: same.share("same"), tokensPerSecond: speedOf(rivals) } : undefined,
    mistakes,
  };
}

async function readScene(
  model: Reader,
  scene: Scene,
  { compare, reading }: { compare: boolean; reading: DescribeOptions },
): Promise<Entry> {
  const shown = { width: scene.width, height: scene.height, data: scene.pixels };
  const write = async (options: DescribeOptions, question?: string): Promise<Written> => {
    const { text, tokens, passes, timings, slots } = await model.describe(shown, question, options);
    return { text: text.trim(), tokens, passes, milliseconds: timings.text, slots };
  };
  const caption = await write(reading);
  const { seed, signal } = reading;
  const autoregressive = compare ? await write({ decoding: "ar", seed, signal }) : undefined;
  const answers: string[] = [];
  for (const { question } of scene.questions) answers.push((await write(reading, question)).text);
  return { caption, autoregressive, answers };
}

const total = (written: readonly Written[], of: "tokens" | "passes" | "milliseconds" | "slots"): number =>
  written.reduce((sum, one) => sum + (one[of] ?? 0), 0);

const speedOf = (written: readonly Written[]): number =>
  total(written, "tokens") / (total(written, "milliseconds") / 1000);

/** Whether two descriptions agree about one kind of fact, whatever they say about the others. */
function sameFact(fact: FactName, a: Facts, b: Facts): boolean {
  const list = (facts: Facts, of: (group: Facts["groups"][number]) => unknown) =>
    facts.groups
      .map((g) => `${of(g)}`)
      .sort()
      .join();
  switch (fact) {
    case "objects":
      return list(a, (g) => g.class) === list(b, (g) => g.class);
    case "counts":
      return list(a, (g) => `${g.class} ${g.count}`) === list(b, (g) => `${g.class} ${g.count}`);
    case "colors":
      return list(a, (g) => `${g.class} ${g.color}`) === list(b, (g) => `${g.class} ${g.color}`);
    case "relation":
      return a.relation === b.relation && a.groups.map((g) => g.class).join() === b.groups.map((g) => g.class).join();
    case "background":
      return a.background === b.background;
  }
}
