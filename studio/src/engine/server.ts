/** A model on the server that this page came from, through its jobs. */
import type { protocol } from "fewstep/serve";
import type { DescribeRequest, DrawRequest, Engine, ModelInfo, PictureSettings, Step } from "./types.ts";

/** What servers show of all pictures of a request, unless told otherwise. */
const PREVIEWS = 64;

type JobEvent = protocol.JobEvent;
type Made = protocol.Made;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init);
  const body = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(body?.error?.message ?? `the server answered with status ${response.status}`);
  return body;
}

/** The models of the server, or undefined where there is none. */
export async function capabilities(): Promise<protocol.Capabilities | undefined> {
  try {
    return await json<protocol.Capabilities>("api/capabilities");
  } catch {
    return undefined;
  }
}

export async function serverEngine(): Promise<Engine> {
  let known = await capabilities();
  // Sizes are known once the engine runs.
  for (let i = 0; i < 600 && known?.models.some(({ state }) => state === "starting"); i++) {
    await wait(200);
    known = await capabilities();
  }
  const models = (known?.models ?? []).flatMap((one): ModelInfo[] => {
    const { id, tasks, grid, resolution, defaults, question = "", words, classes } = one;
    if (!grid || !resolution || !defaults) return [];
    const { steps, guidance_scale: guidance, temperature, draft_scales: draftScales } = defaults;
    return [{ id, tasks, grid, resolution, steps, guidance, temperature, question, words, classes, draftScales }];
  });
  if (models.length === 0) throw new Error("the server has no model that works");
  return {
    place: "server",
    device: location.host,
    models,
    files: () => [],
    async draw(request, onStep, signal) {
      const pictures = new Map<string, ImageBitmap>();
      const waiting: Step[] = [];
      /** A step is shown once its pictures are there; one without shows those before it. */
      const flush = () => {
        for (const step of waiting.splice(0))
          onStep({ ...step, pictures: Array.from({ length: request.n }, (_, image) => pictures.get(`${image}`)) });
      };
      for await (const event of job(drawJob(request), signal)) {
        if (event.type === "partial") pictures.set(`${event.image}`, await createImageBitmap(blobOf(event.b64_json)));
        if (event.type === "step") {
          flush();
          const { index, total, grid, images = [] } = event;
          waiting.push({ index, total, grid, cells: images, pictures: [] });
        }
        if (event.type !== "done" || event.result.kind !== "images") continue;
        flush();
        const { images, timings, warnings } = event.result;
        const drawn = images.map(({ b64_json, fewstep }) => ({
          png: blobOf(b64_json),
          settings: settingsOf(fewstep, request.prompt),
        }));
        return { images: drawn, ms: timings.total, modelMs: timings.model, warnings };
      }
      throw new Error("the server ended the job without a result");
    },
    async describe(request, onPass, signal) {
      let text = "";
      for await (const event of job(await describeJob(request), signal)) {
        if (event.type === "text") {
          text += event.delta;
          onPass({ text, draft: event.draft, tokens: event.tokens });
        }
        if (event.type !== "done" || event.result.kind !== "text") continue;
        const { result } = event;
        return { ...result, ms: result.timings.total };
      }
      throw new Error("the server ended the job without a result");
    },
    close: async () => {},
  };
}

/** Starts a job and gives its events; leaving or aborting cancels it. */
async function* job(body: object, signal: AbortSignal): AsyncGenerator<JobEvent> {
  const headers = { "content-type": "application/json" };
  const started = await json<protocol.Job>("api/jobs", { method: "POST", headers, body: JSON.stringify(body), signal });
  const cancel = () => void fetch(`api/jobs/${started.id}/cancel`, { method: "POST" });
  let over = false;
  try {
    const response = await fetch(started.events_url.replace(/^\//, ""), { signal });
    for await (const event of eventsOf(response)) {
      over = event.type === "done" || event.type === "error" || event.type === "cancelled";
      if (event.type === "error") throw new Error(event.error.message);
      if (event.type === "cancelled") throw new DOMException("cancelled", "AbortError");
      yield event;
    }
  } finally {
    if (!over) cancel();
  }
}

async function* eventsOf(response: Response): AsyncGenerator<JobEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}

function drawJob({ task, mask, image, margins, live, guidance, draftScales, ...rest }: DrawRequest): object {
  const { model, prompt, seed, n } = rest;
  const how = draftScales === undefined ? rest : { model, prompt, seed, n, draft_scales: draftScales };
  return {
    ...how,
    task,
    guidance_scale: guidance,
    cells: true,
    preview: live ? Math.floor(PREVIEWS / n) : 0,
    image: image && dataUrl(image),
    mask: mask && maskUrl(mask),
    mask_mode: mask && "white",
    ...(task === "extend" ? margins : {}),
  };
}

const describeJob = async ({ image, ...rest }: DescribeRequest) => ({
  task: "describe",
  ...rest,
  image: dataUrl(image),
});

const settingsOf = ({ guidance_scale: guidance, draft_scales: draftScales, ...made }: Made, prompt: string) =>
  ({ ...made, prompt, guidance, draftScales }) satisfies PictureSettings;

function blobOf(base64: string): Blob {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

function dataUrl(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return `data:image/png;base64,${btoa(text)}`;
}

function maskUrl({ side, data }: NonNullable<DrawRequest["mask"]>): string {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pixels = new ImageData(side, side);
  for (const [i, value] of data.entries()) pixels.data.set([value, value, value, 255], i * 4);
  canvas.getContext("2d")!.putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}
