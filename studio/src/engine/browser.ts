/** The models in this page: the same library as in Node, on WebGPU or WebAssembly. The first is loaded at once, others when they are asked for. */
import {
  DEFAULT_MODEL,
  type DrawOptions,
  embeddedModels,
  type GeneratedImage,
  type ImageStep,
  type LabelModel,
  type LoadOptions,
  loadLabelModel,
  loadModel,
  type Model,
  type ScaleStep,
} from "fewstep";
import { readModelConfig } from "fewstep/models";
import { pictureSide } from "fewstep/models/msvq";
import { embeddedLabelModels, readLabelConfig } from "fewstep/models/var";
import type { DrawRequest, Engine, ModelInfo, PictureSettings, Step } from "./types.ts";

/** `?model=ADDRESS` of a folder, `?device=cpu|webgpu` and `?threads=N` choose otherwise. */
function wished(): { source: string } & Pick<LoadOptions, "device" | "threads"> {
  const asked = new URLSearchParams(location.search);
  const device = asked.get("device");
  const threads = Number(asked.get("threads")) || undefined;
  return {
    source: asked.get("model") ?? DEFAULT_MODEL,
    device: device === "cpu" || device === "webgpu" ? device : "auto",
    threads,
  };
}

/** Either kind of model. */
type Loaded = { readonly sentences: Model } | { readonly classes: LabelModel };

/** `onLoading` hears what share of a model's files is here, and undefined once it is loaded. */
export async function browserEngine(onLoading: (share: number | undefined) => void): Promise<Engine> {
  const { source: first, device: wanted, threads: own } = wished();
  const files = new Set<string>();
  const loaded = new Map<string, Promise<Loaded>>();
  const ids = new Map<string, string>();

  async function load(source: string): Promise<Loaded> {
    const progress = new Map<string, { done: number; total: number }>();
    const onProgress = ({ file, ...now }: { file: string; done: number; total: number }) => {
      files.add(file);
      progress.set(file, now);
      const all = [...progress.values()];
      const share = all.reduce((n, { done }) => n + done, 0) / all.reduce((n, { total }) => n + total, 0);
      // Networks of a drafter and a refiner come while they draw.
      onLoading(share < 1 ? share : undefined);
    };
    try {
      if (embeddedLabelModels().includes(source))
        return { classes: await loadLabelModel(source, { threads: own, onProgress }) };
      return { sentences: await loadModel(source, { device: wanted, threads: own, onProgress }) };
    } finally {
      onLoading(undefined);
    }
  }
  /** A model by its name; one that failed to load is tried again. */
  function open(id: string): Promise<Loaded> {
    const known = loaded.get(id) ?? load(ids.get(id) ?? id);
    loaded.set(id, known);
    known.catch(() => loaded.delete(id));
    return known;
  }
  const opened = await load(first);
  const about = "sentences" in opened ? sentencesInfo(opened.sentences.config) : classesInfo(opened.classes.config);
  ids.set(about.id, first);
  loaded.set(about.id, Promise.resolve(opened));
  // For the curious: the library itself, in the console.
  Object.assign(globalThis, { fewstep: { loadModel, loadLabelModel, model: Object.values(opened)[0] } });
  const device = "sentences" in opened ? opened.sentences.device : "cpu";
  const threads = crossOriginIsolated ? (own ?? Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2))) : 1;
  return {
    place: "browser",
    device: device === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`,
    models: [about, ...(await others(about.id))],
    files: () => [...files],
    async draw(request, onStep, signal) {
      const model = await open(request.model);
      signal.throwIfAborted();
      return "classes" in model
        ? drawClasses(model.classes, request, onStep, signal)
        : drawSentences(model.sentences, request, onStep, signal);
    },
    async describe({ model: id, image, question, decoding, block }, onPass, signal) {
      const model = await open(id);
      signal.throwIfAborted();
      if ("classes" in model) throw new Error(`${id} describes no pictures`);
      const run = model.sentences.describe(image, question, { decoding, block, signal });
      for await (const { text, draft, tokens } of run) onPass({ text, draft, tokens });
      const { text, tokens, passes, timings, warnings } = await run;
      return { text, tokens, passes, ms: timings.total, warnings };
    },
    async close() {
      const models = await Promise.allSettled(loaded.values());
      for (const one of models)
        if (one.status === "fulfilled")
          await ("classes" in one.value ? one.value.classes : one.value.sentences).dispose();
    },
  };
}

/** What else the package carries. The page works without what cannot be reached. */
async function others(first: string): Promise<ModelInfo[]> {
  const found = await Promise.allSettled([
    ...embeddedModels().map(async (id) => sentencesInfo(await readModelConfig(id))),
    ...embeddedLabelModels().map(async (id) => classesInfo(await readLabelConfig(id))),
  ]);
  return found.flatMap((one) => (one.status === "fulfilled" && one.value.id !== first ? [one.value] : []));
}

const sentencesInfo = ({ model, showo, magvit, defaults, text, words }: Model["config"]): ModelInfo => ({
  id: model,
  tasks: ["generate", "inpaint", "extend", "describe"],
  grid: Math.sqrt(showo.imageTokens),
  resolution: magvit.resolution,
  ...defaults,
  question: text.captionQuestion,
  words,
});

function classesInfo({ model, tokenizer, defaults, classes = [] }: LabelModel["config"]): ModelInfo {
  const { sides } = tokenizer.config;
  const { guidance, draftScales = sides.length } = defaults;
  const resolution = pictureSide(tokenizer.config);
  const about = { tasks: ["generate"], grid: sides.at(-1)!, steps: sides.length, question: "" } as const;
  return { id: model, ...about, resolution, guidance, classes, draftScales };
}

type OnStep = (step: Step) => void;

/** What a step of either kind shows of each of its pictures. */
const picturesOf = (step: ImageStep | ScaleStep): Promise<ImageBitmap[]> =>
  Promise.all(step.tokens.map(async (_, row) => bitmapOf(await step.image(row))));

async function drawSentences(model: Model, request: DrawRequest, onStep: OnStep, signal: AbortSignal) {
  const run = start(model, request, signal);
  for await (const step of run) {
    const pictures = request.live ? await picturesOf(step) : [];
    const cells = step.mask.map((mask, row) => ({ mask, confidence: step.confidence[row] }));
    onStep({ index: step.index, total: step.total, grid: step.grid, cells, pictures });
  }
  const { images, timings, warnings } = await run;
  return { images: await Promise.all(images.map(drawnOf)), ms: timings.total, modelMs: timings.model, warnings };
}

async function drawClasses(model: LabelModel, request: DrawRequest, onStep: OnStep, signal: AbortSignal) {
  const { prompt, draftScales, guidance, seed, n, live } = request;
  const run = model.generateImage(prompt, { draftScales, guidance, seed, n, batchSize: n, signal });
  for await (const step of run) {
    const { index, total, side } = step;
    const pictures = live ? await picturesOf(step) : [];
    // Whole scales are decided at once: there are no cells to show.
    onStep({ index, total, grid: { height: side, width: side }, cells: [], pictures });
  }
  const { images, timings, warnings } = await run;
  const modelMs = (timings.drafter ?? 0) + (timings.refiner ?? 0);
  return { images: await Promise.all(images.map(drawnOf)), ms: timings.total, modelMs, warnings };
}

function start(model: Model, request: DrawRequest, signal: AbortSignal) {
  const { task, prompt, image, mask, margins, steps, guidance, temperature, seed, n } = request;
  const schedule = request.schedule as DrawOptions["schedule"];
  const options = { steps, guidance, temperature, schedule, seed, n, signal };
  if (task === "generate") return model.generateImage(prompt, options);
  if (task === "extend") return model.extend(image!, { ...options, ...margins, prompt });
  const { side, data } = mask!;
  return model.inpaint(image!, { width: side, height: side, data }, prompt, options);
}

async function drawnOf(image: GeneratedImage) {
  const side = Math.min(image.width, image.height);
  // Small pictures are saved larger by repeating pixels, which reading them undoes.
  const size = side < 256 ? side * Math.ceil(256 / side) : undefined;
  const png = new Blob([(await image.encode("png", { size })) as Uint8Array<ArrayBuffer>], { type: "image/png" });
  return { png, settings: image.settings as PictureSettings };
}

function bitmapOf({ width, height, data }: { width: number; height: number; data: Uint8Array }): Promise<ImageBitmap> {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[i * 4 + c] = data[i * 3 + c];
    pixels.data[i * 4 + 3] = 255;
  }
  return createImageBitmap(pixels);
}
