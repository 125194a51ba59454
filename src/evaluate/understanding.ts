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
} from "../scenes/index.ts";
import type { DescribeOptions, TextResult } from "../tasks/index.ts";
import { type Share, Tally } from "./interval.ts";

/** What is asked of a model here; a loaded `Model` has it. */
export interface Reader {
  readonly config: { readonly magvit: { readonly resolution: number } };
  describe(
    picture: Picture,
    question?: string,
    options?: DescribeOptions,
  ): PromiseLike<Pick<TextResult, "text" | "tokens" | "passes" | "timings">>;
}

export interface UnderstandingOptions {
  atlas: Atlas;
  domain: Domain;
  images: number;
  seed: number;
  split?: Split;
  decoding?: "jacobi" | "ar";
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
  yesNo: Share;
  /** Questions with other answers. */
  oneWord: Share;
  byQuestion: Partial<Record<QuestionKind, Share>>;
  tokensPerSecond: number;
  tokensPerPass: number;
  /** The first wrong captions, to look at. */
  mistakes: { said: string; true: string }[];
}

const YES_NO: QuestionKind[] = ["presence", "color_presence"];
const ONE_WORD: QuestionKind[] = ["count", "color", "relation"];
const SHOWN_MISTAKES = 10;

/** Asks the model for a caption and every question of `images` scenes, through the same path that users take. */
export async function evaluateUnderstanding(model: Reader, options: UnderstandingOptions): Promise<Understanding> {
  const { atlas, domain, images, seed, split = "heldout", decoding, signal, onProgress } = options;
  const captions = new Tally<FactName | "all">();
  const questions = new Tally<QuestionKind>();
  const mistakes: Understanding["mistakes"] = [];
  let [tokens, passes, milliseconds] = [0, 0, 0];
  const pixels = model.config.magvit.resolution;
  const ask = async (scene: Scene, question?: string): Promise<string> => {
    const picture = { width: scene.width, height: scene.height, data: scene.pixels };
    const answer = await model.describe(picture, question, { decoding, seed, signal });
    tokens += answer.tokens;
    passes += answer.passes;
    milliseconds += answer.timings.text;
    return answer.text.trim();
  };

  for (let index = 0; index < images; index++) {
    throwIfAborted(signal);
    const scene = makeScene(atlas, domain, { seed, index, split, pixels });
    const caption = await ask(scene);
    const right = factsOf(scene);
    const said = parseFacts(caption, domain);
    const all = said !== undefined && sameFacts(said, right);
    captions.add("all", all);
    for (const fact of FACTS)
      if (fact !== "relation" || right.relation !== null)
        captions.add(fact, said !== undefined && sameFact(fact, said, right));
    if (!all && mistakes.length < SHOWN_MISTAKES) mistakes.push({ said: caption, true: scene.caption });
    for (const { question, answer, kind } of scene.questions)
      questions.add(kind, (await ask(scene, question)) === answer);
    onProgress?.(index + 1, images);
  }

  return {
    images,
    facts: captions.share("all"),
    byFact: Object.fromEntries(FACTS.map((fact) => [fact, captions.share(fact)])) as Record<FactName, Share>,
    yesNo: questions.share(...YES_NO),
    oneWord: questions.share(...ONE_WORD),
    byQuestion: Object.fromEntries([...YES_NO, ...ONE_WORD].map((kind) => [kind, questions.share(kind)])),
    tokensPerSecond: tokens / (milliseconds / 1000),
    tokensPerPass: tokens / passes,
    mistakes,
  };
}

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
