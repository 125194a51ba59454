/**
 * A class becomes a picture, scale by scale: a large drafter decides the coarse scales, a small refiner the fine ones, or
 * one network all of them; feature maps to pixels. Parts of a given picture can be kept.
 */
import { fail, throwIfAborted } from "../base/index.ts";
import {
  blank,
  type Canvas,
  decodeScales,
  handOver,
  likely,
  type Predictor,
  seeded,
  squareScales,
  UNDECIDED,
} from "../decode/index.ts";
import { type Picture, postprocess, preprocess } from "../image/index.ts";
import {
  type FeatureMaps,
  featureMaps,
  latentSide,
  pictureSide,
  scaleOffsets,
  tokenCount,
} from "../models/msvq/index.ts";
import {
  type Box,
  boxMask,
  keptTokens,
  type LabelLoadOptions,
  type LabelNetworks,
  loadLabelNetworks,
  type PublishedFiles,
  type VarPredictor,
  varPredictor,
} from "../models/var/index.ts";
import { type Class, classOf, type Label } from "./labels.ts";
import { type GeneratedImage, generatedImage, type ImageLike, readImage } from "./picture.ts";
import { createRun, type Run } from "./run.ts";
import { atLeastZero, seedOr, wholeNumber } from "./settings.ts";
import { type Stopwatch, stopwatch, type Timings } from "./timing.ts";

export interface Pair {
  readonly drafter: string;
  readonly refiner: string;
  /** Most guidance that the refiner is given; 0 for one that has learnt to do without, which is asked once. */
  readonly refinerGuidance?: number;
}

export interface LabelOptions {
  /** Scales that the drafter decides; the refiner decides the others. All: the drafter alone; 0: the refiner alone. */
  draftScales?: number;
  /**
   * Which networks share the work: those trained for this number of scales where there are any (default), the general
   * ones, or two by their names.
   */
  pair?: "specialised" | "free" | Pair;
  /** Classifier-free guidance of the last scale; it grows from 0 at the first. 0 asks once. */
  guidance?: number;
  /** Draw from the k most likely codes only, in all scales or one number for each. 0: all. */
  topK?: number | readonly number[];
  /** Then from the smallest set of them whose mass exceeds p. 0: all. */
  topP?: number;
  /**
   * Divides the logits of what is left, in all scales (default 1) or one number for each; the published CoDe draws its
   * first seven scales with 1.1.
   */
  temperature?: number | readonly number[];
  /** Any whole number; the same seed gives the same picture. Default: random. */
  seed?: number;
  /** Pictures of each class, with seeds seed, seed + 1, ... Default 1. */
  n?: number;
  /** Pictures drawn at once. Default 8; the pictures do not depend on it. */
  batchSize?: number;
  /** Adds mixtures of codes instead of single ones: smoother, for looking at. */
  smooth?: boolean;
  signal?: AbortSignal;
}

/** One scale of the pictures that are drawn together. */
export interface ScaleStep {
  /** 1 ... total, over all batches. */
  readonly index: number;
  readonly total: number;
  readonly progress: number;
  readonly by: "drafter" | "refiner";
  /** Cells per side of the scale. */
  readonly side: number;
  /** Which of all pictures these are. */
  readonly first: number;
  /** Ids of all scales of each picture; undecided ones are -1. */
  readonly tokens: readonly Int32Array[];
  /** What the scales so far look like. */
  image(row?: number): Promise<Picture>;
}

export interface LabelResult {
  /** Class by class, `n` of each. */
  readonly images: readonly GeneratedImage[];
  readonly seed: number;
  /** Milliseconds: total, encode, drafter, refiner, decode (maps to pixels). */
  readonly timings: Timings;
  /** Most bytes of keys and values held at once. */
  readonly cacheBytes: number;
  readonly warnings: readonly string[];
}

export type LabelRun = Run<ScaleStep, LabelResult>;

export interface LabelModel extends LabelNetworks, AsyncDisposable {
  /** Draws classes by name or id; "" draws any. */
  generateImage(label: Label | readonly Label[], options?: LabelOptions): LabelRun;
  /** Draws what is inside a box anew, or what is outside of it. */
  redraw(image: ImageLike, box: Box, options?: RedrawOptions): LabelRun;
}

export interface RedrawOptions extends LabelOptions {
  /** What is drawn; default: whatever fits. */
  label?: Label;
  /** "inside" (inpainting, class editing) or "outside" (outpainting) of the box. Default inside. */
  draw?: "inside" | "outside";
}

/**
 * Loads a next-scale model: by name, folder or published files. Errors: NOT_FOUND, BAD_FILE, BAD_WEIGHTS naming the
 * tensors.
 */
export async function loadLabelModel(source: string | PublishedFiles, options?: LabelLoadOptions): Promise<LabelModel> {
  const networks = await loadLabelNetworks(source, options);
  return {
    ...networks,
    generateImage: (label, how) => generateClasses(networks, label, how),
    redraw: (image, box, how) => redraw(networks, image, box, how),
    [Symbol.asyncDispose]: () => networks.dispose(),
  };
}

/** Draws `n` pictures of each class. Errors: unknown classes, options out of range, ABORTED. */
export function generateClasses(
  model: LabelNetworks,
  label: Label | readonly Label[],
  options: LabelOptions = {},
): LabelRun {
  const plan = () => {
    const classes = (Array.isArray(label) ? label : [label]).map((one) => classOf(model.config, one));
    if (!classes.length) fail("there is nothing to draw", { where: "class", expected: "at least one class" });
    return { classes };
  };
  return createRun((signal) => draw(model, plan, options, { signal, task: "generate" }), options.signal);
}

/**
 * Draws part of a picture anew (VAR spec section 5): its other tokens stay at every scale but the first, which is kept
 * whole. All of the picture passes through the tokenizer. Errors: a box that is empty or leaves the picture.
 */
export function redraw(model: LabelNetworks, image: ImageLike, box: Box, options: RedrawOptions = {}): LabelRun {
  const { label = "", draw: part = "inside" } = options;
  const plan = () => {
    const { config } = model.tokenizer;
    const kept = keptTokens(boxMask(box, latentSide(config), part), config.sides);
    const known = async () => {
      const side = pictureSide(config);
      const pixels = preprocess(await readImage(image), side);
      const { ids } = await model.tokenizer.encode({ ...pixels, shape: [1, 3, side, side] });
      return Int32Array.from(ids.data, (id, i) => (kept[i] ? Number(id) : UNDECIDED));
    };
    return { classes: [classOf(model.config, label)], known };
  };
  const task = part === "inside" ? "inpaint" : "extend";
  return createRun((signal) => draw(model, plan, options, { signal, task }), options.signal);
}

/** What there is to draw; made when the work begins, so that whoever awaits it gets its errors. */
interface Plan {
  classes: readonly Class[];
  /** Ids of one picture that are kept, -1 where they are drawn. */
  known?(): Promise<Int32Array>;
}

interface Drawing {
  signal: AbortSignal;
  task: "generate" | "inpaint" | "extend";
}

async function* draw(
  model: LabelNetworks,
  plan: () => Plan,
  options: LabelOptions,
  { signal, task }: Drawing,
): AsyncGenerator<ScaleStep, LabelResult> {
  const clock = stopwatch();
  const settings = settingsOf(model, options);
  const { classes, known } = plan();
  const { sides } = model.tokenizer.config;
  const { n, seed, batchSize } = settings;
  const rows = classes.flatMap((one) => Array.from({ length: n }, (_, i) => ({ ...one, seed: seed + i })));
  const start = known && (await clock.measure("encode", known));
  const total = Math.ceil(rows.length / batchSize) * sides.length;
  const images: GeneratedImage[] = [];
  let cacheBytes = 0;
  for (let first = 0, index = 0; first < rows.length; first += batchSize) {
    const batch = rows.slice(first, first + batchSize);
    const maps = featureMaps(model.tokenizer, batch.length);
    const { predictor, held } = await predictorFor(model, batch, settings, maps, clock);
    const canvas = blank(batch.length, tokenCount({ sides }));
    for (let row = 0; start && row < batch.length; row++) canvas.ids_BL.set(start, row * canvas.slots);
    const noise = seeded(
      batch.map((row) => row.seed),
      "sample",
    );
    const { topK, topP, temperature } = settings;
    const sample = likely({ noise, topK, topP, temperature });
    let last: Canvas = canvas;
    for await (const state of decodeScales(predictor, canvas, { scales: squareScales(sides), sample, signal })) {
      cacheBytes = Math.max(cacheBytes, held());
      last = state.canvas;
      yield scaleStep(model, state.canvas, state.pass, maps, clock, {
        index: ++index,
        total,
        first,
        by: state.pass <= settings.draftScales ? "drafter" : "refiner",
      });
    }
    predictor.release?.();
    throwIfAborted(signal);
    const fHat = await maps.after(last, sides.length);
    const pictures = postprocess(await clock.measure("decode", () => model.tokenizer.decode(fHat)));
    for (const [i, { name, seed }] of batch.entries())
      images.push(
        generatedImage(pictures[i], rowOf(last, i), {
          task,
          model: model.config.model,
          prompt: name,
          seed,
          steps: sides.length,
          guidance: settings.guidance,
          ...(typeof temperature === "number" ? { temperature } : { temperature: 1, scaleTemperatures: temperature }),
          ...(typeof topK === "number" ? { topK: topK || undefined } : { scaleTopK: topK }),
          topP: topP || undefined,
          schedule: `${settings.draftScales} drafted`,
          draftScales: settings.draftScales,
        }),
      );
  }
  return { images, seed, timings: clock.read(), cacheBytes, warnings: [] };
}

const rowOf = ({ ids_BL, slots }: Canvas, row: number): Int32Array => ids_BL.slice(row * slots, (row + 1) * slots);

function scaleStep(
  model: LabelNetworks,
  canvas: Canvas,
  pass: number,
  maps: FeatureMaps,
  clock: Stopwatch,
  at: Pick<ScaleStep, "index" | "total" | "first" | "by">,
): ScaleStep {
  return {
    ...at,
    progress: at.index / at.total,
    side: model.tokenizer.config.sides[pass - 1],
    tokens: Array.from({ length: canvas.rows }, (_, row) => rowOf(canvas, row)),
    async image(row = 0) {
      wholeNumber("row", row, 0, canvas.rows - 1);
      const fHat = await maps.after(canvas, pass);
      const size = fHat.data.length / canvas.rows;
      const one = { ...fHat, shape: [1, ...fHat.shape.slice(1)], data: fHat.data.slice(row * size, (row + 1) * size) };
      return postprocess(await clock.measure("decode", () => model.tokenizer.decode(one)))[0];
    },
  };
}

type Settings = ReturnType<typeof settingsOf>;

/** Options with the model's defaults, each checked. */
function settingsOf({ config, tokenizer }: LabelNetworks, options: LabelOptions) {
  const { defaults, networks } = config;
  const scales = tokenizer.config.sides.length;
  const wanted = options.draftScales ?? defaults.draftScales ?? scales;
  const draftScales = wholeNumber("draftScales", wanted, 0, scales);
  if (draftScales < scales && !networks.refiner && typeof options.pair !== "object")
    fail("this model has no refiner", {
      where: "draftScales",
      expected: `${scales}: all scales by the one network there is`,
      got: `${draftScales}`,
    });
  const { pair = "specialised" } = options;
  const general: Pair = { drafter: "drafter", refiner: "refiner" };
  return {
    draftScales,
    networks: typeof pair === "object" ? pair : (pair === "specialised" && config.pairs[draftScales]) || general,
    guidance: atLeastZero("guidance", options.guidance ?? defaults.guidance),
    topK: ofScales("topK", options.topK ?? defaults.topK, scales, (k) =>
      wholeNumber("topK", k, 0, tokenizer.config.codebookSize),
    ),
    topP: options.topP ?? defaults.topP,
    temperature: ofScales("temperature", options.temperature ?? 1, scales, (t) => t),
    seed: seedOr(options.seed),
    n: wholeNumber("n", options.n ?? 1, 1, 1000),
    batchSize: wholeNumber("batchSize", options.batchSize ?? 8, 1, 1000),
    smooth: options.smooth ?? false,
  };
}

/** One setting of all scales, or one for each of them. */
function ofScales<T extends number | readonly number[]>(
  where: string,
  value: T,
  scales: number,
  check: (one: number) => number,
): number | readonly number[] {
  if (typeof value === "number") return check(value);
  if (value.length !== scales)
    fail(`bad ${where}`, {
      where,
      expected: `one number, or one for each of ${scales} scales`,
      got: `${value.length}`,
    });
  return value.map(check);
}

/** The network, or the two of them, asked for these rows; `held` says how many bytes of keys and values they hold. */
async function predictorFor(
  model: LabelNetworks,
  rows: readonly (Class & { seed: number })[],
  settings: Settings,
  maps: FeatureMaps,
  clock: Stopwatch,
): Promise<{ predictor: Predictor; held(): number }> {
  const { draftScales, guidance, topK, topP, networks } = settings;
  const { config } = model.tokenizer;
  const gumbel = seeded(
    rows.map((row) => row.seed),
    "guess",
  );
  const smooth = settings.smooth
    ? {
        topK,
        topP,
        codebook: model.tokenizer.codes(Array.from({ length: config.codebookSize }, (_, id) => id)),
        gumbel: (row: number, slot: number, code: number) =>
          -Math.log(-Math.log(Math.max(gumbel(slot * config.codebookSize + code, row, 0), 1e-12))),
      }
    : undefined;
  const request = { labels: rows.map(({ id }) => id), maps, smooth };
  const own = { drafter: guidance, refiner: Math.min(guidance, networks.refinerGuidance ?? guidance) };
  const made: VarPredictor[] = [];
  const ask = async (role: "drafter" | "refiner", scales: number): Promise<Predictor> => {
    const predictor = await clock.measure(role, async () =>
      varPredictor(await model.network(networks[role]), { ...request, guidance: own[role], scales }),
    );
    made.push(predictor);
    return {
      ...predictor,
      predict: (canvas, span, progress) => clock.measure(role, () => predictor.predict(canvas, span, progress)),
    };
  };
  const all = config.sides.length;
  const held = () => made.reduce((sum, one) => sum + one.cacheBytes, 0);
  if (draftScales === all) return { predictor: await ask("drafter", all), held };
  if (draftScales === 0) return { predictor: await ask("refiner", all), held };
  const limit = scaleOffsets(config)[draftScales];
  const [drafter, refiner] = [await ask("drafter", draftScales), await ask("refiner", all)];
  return { predictor: handOver(drafter, refiner, ({ start }) => start >= limit), held };
}
