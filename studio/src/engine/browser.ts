/** The model in this page: the same library as in Node, on WebGPU or WebAssembly. */
import { type DrawOptions, type GeneratedImage, type LoadOptions, loadModel, type Model } from "fewstep";
import type { DrawRequest, Engine, PictureSettings } from "./types.ts";

/** `?model=ADDRESS` of a folder, `?device=cpu|webgpu` and `?threads=N` choose otherwise. */
function wished(): { source?: string } & Pick<LoadOptions, "device" | "threads"> {
  const asked = new URLSearchParams(location.search);
  const device = asked.get("device");
  const threads = Number(asked.get("threads")) || undefined;
  return {
    source: asked.get("model") ?? undefined,
    device: device === "cpu" || device === "webgpu" ? device : "auto",
    threads,
  };
}

export async function browserEngine(onLoading: (share: number) => void): Promise<Engine> {
  const files = new Map<string, { done: number; total: number }>();
  const { source, ...wish } = wished();
  const model = await loadModel(source, {
    ...wish,
    onProgress({ file, ...progress }) {
      files.set(file, progress);
      const all = [...files.values()];
      onLoading(all.reduce((n, { done }) => n + done, 0) / all.reduce((n, { total }) => n + total, 0));
    },
  });
  // For the curious: the library itself, in the console.
  Object.assign(globalThis, { fewstep: { loadModel, model } });
  const { config, device } = model;
  const threads = crossOriginIsolated ? (wish.threads ?? Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2))) : 1;
  return {
    place: "browser",
    device: device === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`,
    models: [
      {
        id: config.model,
        tasks: ["generate", "inpaint", "extend", "describe"],
        grid: Math.sqrt(config.showo.imageTokens),
        resolution: config.magvit.resolution,
        ...config.defaults,
        question: config.text.captionQuestion,
        words: config.words,
      },
    ],
    async draw(request, onStep, signal) {
      const run = start(model, request, signal);
      for await (const step of run) {
        const rows = request.live ? step.tokens.map((_, row) => step.image(row)) : [];
        const pictures = await Promise.all((await Promise.all(rows)).map(bitmapOf));
        const cells = step.mask.map((mask, row) => ({ mask, confidence: step.confidence[row] }));
        onStep({ index: step.index, total: step.total, grid: step.grid, cells, pictures });
      }
      const { images, timings, warnings } = await run;
      const drawn = await Promise.all(images.map(drawnOf));
      return { images: drawn, ms: timings.total, modelMs: timings.model, warnings };
    },
    async describe({ image, question, decoding, block }, onPass, signal) {
      const run = model.describe(image, question, { decoding, block, signal });
      for await (const { text, draft, tokens } of run) onPass({ text, draft, tokens });
      const { text, tokens, passes, timings, warnings } = await run;
      return { text, tokens, passes, ms: timings.total, warnings };
    },
    close: () => model.dispose(),
  };
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
