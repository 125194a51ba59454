/**
 * GenEval (Ghosh et al. 2023) with the package's own detector as judge: prompts, pictures, verdicts, scores. The same
 * judge always sees drawings of the same facts and their reconstructions too: nothing can be expected to score higher.
 */
import { fail, type NdArray, throwIfAborted } from "../base/index.ts";
import { type Picture, picture, preprocess } from "../image/index.ts";
import type { Detector } from "../models/detector/index.ts";
import { gridSide } from "../models/showo/index.ts";
import {
  type Atlas,
  cannotStage,
  DOMAINS,
  type Domain,
  type DomainName,
  type Facts,
  parseFacts,
  type Request,
  scenePixels,
  stageScene,
  TASKS,
  type Task,
} from "../scenes/index.ts";
import { drawTokens, imageTokens, type Model } from "../tasks/index.ts";
import { frechetDistance } from "./frechet.ts";
import { clusteredShare, meanOfShares, type Share } from "./interval.ts";
import { judge } from "./judge.ts";
import { openRecord } from "./record.ts";

/** GenEval's score of a set of pictures. */
export interface Score {
  /** Mean of the tasks' shares of right pictures; every task counts the same. */
  average: number;
  ci95: [low: number, high: number];
  /** Share of right pictures of each task that was asked. */
  tasks: Partial<Record<Task, number>>;
  taskCi95: Partial<Record<Task, [low: number, high: number]>>;
  images: number;
}

/** What the judge says of pictures that are right, and the features of those, to compare others with. */
export interface Ceilings {
  /** Scenes drawn of the facts asked for. */
  ceiling: Score;
  /** The same scenes after the model's picture tokenizer. */
  tokenizerCeiling: Score;
  features: Float32Array[];
  reconstructedFeatures: Float32Array[];
}

export interface GenevalResult extends Score {
  ceiling: Score;
  tokenizerCeiling: Score;
  /**
   * Fréchet distance to the drawn scenes in the feature space of the package's detector, of the model's pictures and of
   * reconstructions. Not FID: other features, other pictures. Absent below two pictures.
   */
  detectorFrechet?: { model: number; tokenizer: number };
  prompts: number;
  distinctPrompts: number;
  /** Prompts that were not drawn, and why: words outside the domain, or what no scene can show. */
  unscored: (Request & { reason: string })[];
  /** The first pictures that were judged wrong. */
  mistakes: { prompt: string; seed: number; reason: string }[];
  secondsPerPicture: number;
}

export interface GenevalOptions {
  detector: Detector;
  atlas: Atlas;
  domain: Domain;
  requests: readonly Request[];
  /** Pictures of each prompt; GenEval draws 4. */
  perPrompt: number;
  /** Of the first picture; the others follow. */
  seed: number;
  steps?: number;
  guidance?: number;
  topK?: number;
  /** Noise in the order of decisions; default: by the model. */
  temperature?: number;
  /** A .jsonl file that keeps every picture's tokens: measured again it goes on, and its pictures are not drawn again. */
  record?: string;
  /** What the record is about besides these settings, such as a hash of the model. */
  about?: object;
  /** Those of an earlier measurement of the same tokenizer, prompts and seed. */
  ceilings?: Ceilings;
  signal?: AbortSignal;
  onProgress?: (stage: "references" | "pictures", done: number, total: number) => void;
}

/** A prompt that can be judged. */
interface Item extends Request {
  facts: Facts;
}

/** Pictures of one prompt, as they are kept. */
interface Drawn {
  tokens: number[][];
  milliseconds: number;
}

const SHOWN_MISTAKES = 12;

/** Draws, judges and scores. Errors: BAD_INPUT naming the option, ABORTED, a record of another measurement. */
export async function evaluateGeneval(model: Model, options: GenevalOptions): Promise<GenevalResult> {
  const { requests, perPrompt, seed, steps, guidance, topK, temperature, signal, onProgress, detector } = options;
  const { items, unscored } = readRequests(options);
  const settings = { requests, perPrompt, seed, steps, guidance, topK, temperature, ...options.about };
  const record = openRecord<Drawn>(options.record, settings);
  try {
    const {
      features: scenes,
      reconstructedFeatures,
      ...ceilings
    } = options.ceilings ?? (await ceilingsOf(model, options));
    const jury = new Jury(detector);
    let milliseconds = 0;
    const mistakes: GenevalResult["mistakes"] = [];
    for (const [index, item] of items.entries()) {
      throwIfAborted(signal);
      const first = seed + index * perPrompt;
      const known = record.known(index);
      let pictures: Picture[];
      if (known) {
        pictures = await redraw(model, known);
        milliseconds += known.milliseconds;
      } else {
        const how = { n: perPrompt, seed: first, steps, guidance, topK, temperature, signal };
        const { images, timings } = await model.generateImage(item.prompt, how);
        const fresh = { tokens: images.map(({ tokens }) => [...tokens]), milliseconds: Math.round(timings.total) };
        record.add(index, fresh);
        pictures = [...images];
        milliseconds += fresh.milliseconds;
      }
      for (const [i, drawn] of pictures.entries()) {
        const { right, reason = "" } = await jury.see(item, drawn);
        if (!right && mistakes.length < SHOWN_MISTAKES) mistakes.push({ prompt: item.prompt, seed: first + i, reason });
      }
      onProgress?.("pictures", index + 1, items.length);
    }
    const score = jury.score();
    return {
      ...score,
      ...ceilings,
      ...(score.images > 1 && {
        detectorFrechet: {
          model: frechetDistance(jury.features, scenes),
          tokenizer: frechetDistance(reconstructedFeatures, scenes),
        },
      }),
      prompts: items.length,
      distinctPrompts: new Set(items.map(({ prompt }) => prompt)).size,
      unscored,
      mistakes,
      secondsPerPicture: milliseconds / 1000 / score.images,
    };
  } finally {
    record.close();
  }
}

/** Judges scenes drawn of the facts of each prompt, and what the model's tokenizer leaves of them. */
export async function ceilingsOf(model: Model, options: GenevalOptions): Promise<Ceilings> {
  const { detector, atlas, domain, perPrompt, seed, signal, onProgress } = options;
  const { items } = readRequests(options);
  const side = gridSide(model.config.showo);
  const pixels = scenePixels(model.config.magvit.resolution);
  const [scenes, reconstructions] = [new Jury(detector), new Jury(detector)];
  for (const [index, item] of items.entries()) {
    for (let i = 0; i < perPrompt; i++) {
      throwIfAborted(signal);
      const scene = stageScene(atlas, domain, item.facts, { seed, index: index * perPrompt + i, pixels });
      const original = picture(scene.width, scene.height, scene.pixels);
      await scenes.see(item, original);
      const tokens = await imageTokens(model, original);
      await reconstructions.see(item, await drawTokens(model, tokens, { height: side, width: side }));
    }
    onProgress?.("references", index + 1, items.length);
  }
  return {
    ceiling: scenes.score(),
    tokenizerCeiling: reconstructions.score(),
    features: scenes.features,
    reconstructedFeatures: reconstructions.features,
  };
}

/** Which prompts can be judged, and why the others cannot. */
function readRequests({ domain, requests, perPrompt, detector }: GenevalOptions) {
  if (!(Number.isInteger(perPrompt) && perPrompt >= 1 && perPrompt <= 1000))
    fail("bad number of pictures", {
      where: "perPrompt",
      expected: "a whole number from 1 to 1000",
      got: `${perPrompt}`,
    });
  const items: Item[] = [];
  const unscored: GenevalResult["unscored"] = [];
  for (const request of requests) {
    const facts = parseFacts(request.prompt, domain);
    const reason = facts
      ? (cannotStage(facts) ?? cannotSee(detector, facts))
      : "words or a wording that the scenes of this domain do not have";
    if (facts && reason === undefined) items.push({ ...request, facts });
    else unscored.push({ ...request, reason: reason! });
  }
  if (!items.length)
    fail("none of the prompts can be judged", {
      got: unscored[0] ? `"${unscored[0].prompt}": ${unscored[0].reason}` : "no prompts",
      hint: "Choose the domain that the prompts belong to.",
    });
  return { items, unscored };
}

/** Why the detector cannot judge these facts, or undefined when it can. */
function cannotSee({ domain: name }: Detector, { groups }: Facts): string | undefined {
  const known: Domain | undefined = DOMAINS[name as DomainName];
  const foreign = groups.find(
    (group) => !known?.classes.includes(group.class) || (group.color && !known.colors.includes(group.color)),
  );
  return foreign && `the detector was not trained on a ${foreign.color ?? ""} ${foreign.class}`.replace("  ", " ");
}

async function redraw(model: Model, { tokens }: Drawn): Promise<Picture[]> {
  const side = gridSide(model.config.showo);
  const pictures: Picture[] = [];
  for (const ids of tokens) pictures.push(await drawTokens(model, Int32Array.from(ids), { height: side, width: side }));
  return pictures;
}

/** Looks at pictures, judges them and adds up. */
class Jury {
  readonly features: Float32Array[] = [];
  private readonly detector: Detector;
  private readonly verdicts = new Map<string, { task: Task; right: number; of: number }>();

  constructor(detector: Detector) {
    this.detector = detector;
  }

  async see({ task, prompt, facts }: Item, shown: Picture) {
    const pixels: NdArray<"float32"> = preprocess(shown, this.detector.config.resolution);
    const { found, features } = await this.detector.look(pixels);
    const verdict = judge(task, facts, found, this.detector.thresholds);
    const key = `${task}\t${prompt}`;
    const { right, of } = this.verdicts.get(key) ?? { right: 0, of: 0 };
    this.verdicts.set(key, { task, right: right + Number(verdict.right), of: of + 1 });
    this.features.push(features.slice());
    return verdict;
  }

  score(): Score {
    const all = [...this.verdicts.values()];
    const shares = TASKS.map((name) => [name, all.filter(({ task }) => task === name)] as const)
      .filter(([, verdicts]) => verdicts.length)
      .map(([name, verdicts]): [Task, Share] => [name, clusteredShare(verdicts)]);
    return {
      ...meanOfShares(shares.map(([, share]) => share)),
      tasks: Object.fromEntries(shares.map(([name, { share }]) => [name, share])),
      taskCi95: Object.fromEntries(shares.map(([name, { ci95 }]) => [name, ci95])),
      images: this.features.length,
    };
  }
}
