/** Native jobs: started, watched by any number of readers who may come back, asked about, cancelled. */
import { checked, readJson } from "./body.ts";
import type { Call } from "./call.ts";
import { base64, drawingOf, madeOf, previewsOf, usageOf } from "./drawing.ts";
import { answerFor, refuse } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { pictureOf } from "./pictures.ts";
import { type Job, type JobEvent, JobRequest, type JobResult } from "./protocol.ts";
import { type SseEvent, sseResponse } from "./sse.ts";
import type { Cells, Drawing, Work, WorkEvent } from "./work.ts";
import type { Ticket, TicketEvent } from "./worker.ts";

interface Kept {
  readonly id: string;
  readonly task: Job["task"];
  readonly model: string;
  readonly created: number;
  readonly ticket: Ticket;
  readonly events: JobEvent[];
  status: Job["status"];
  /** Characters of its pictures. */
  size: number;
  cancel(): void;
  /** Resolves at the next event. */
  news: Promise<void>;
}

export interface Jobs {
  create(call: Call): Promise<Response>;
  show(call: Call, id: string): Response;
  events(call: Call, id: string): Response;
  cancel(call: Call, id: string): Response;
}

export function createJobs(limits: Limits): Jobs {
  const kept = new Map<string, Kept>();

  /** Jobs belong to the key that started them. */
  const find = (call: Call, id: string): Kept =>
    kept.get(`${call.owner} ${id}`) ?? refuse(404, "there is no such job", { code: "job_not_found", param: "id" });

  async function create(call: Call): Promise<Response> {
    const body = await readJson(call.request, limits.bytes);
    const { value } = checked(JobRequest, body);
    const worker = call.worker(value.model);
    const work = await workOf(value, call);
    const unfinished = [...kept.values()].filter(({ status }) => status === "queued" || status === "running");
    if (unfinished.length >= limits.jobs)
      refuse(429, "too many jobs are under way", { code: "rate_limit_exceeded", retryAfter: 5 });
    const controller = new AbortController();
    const ticket = worker.submit(work, { client: call.client, signal: controller.signal });
    const { id } = ticket;
    const job: Kept = {
      ...{ id, ticket, task: value.task, model: worker.id, status: "queued", events: [], size: 0 },
      created: Math.floor(Date.now() / 1000),
      cancel: () => controller.abort(),
      news: Promise.resolve(),
    };
    const key = `${call.owner} ${id}`;
    kept.set(key, job);
    void follow(job, work, room).finally(() => setTimeout(() => kept.delete(key), limits.memory * 1000).unref());
    forget();
    return Response.json(shown(job), { status: 202, headers: { location: `/api/jobs/${id}` } });
  }

  const finished = () => [...kept].filter(([, { status }]) => status !== "queued" && status !== "running");
  const total = () => [...kept.values()].reduce((n, { size }) => n + size, 0);

  /** Finished jobs beyond the limit go, the oldest first. */
  function forget(): void {
    for (const [key] of finished().slice(0, Math.max(0, kept.size - limits.jobs))) kept.delete(key);
  }

  /** Whether so much more may be kept, if need be instead of the oldest finished jobs. */
  function room(size: number): boolean {
    for (const [key] of finished()) {
      if (total() + size <= limits.kept) break;
      kept.delete(key);
    }
    return total() + size <= limits.kept;
  }

  return {
    create,
    show: (call, id) => Response.json(shown(find(call, id))),
    events(call, id) {
      const job = find(call, id);
      const after = Number(call.request.headers.get("last-event-id") ?? 0);
      const gone = new AbortController();
      return sseResponse(watch(job, Number.isInteger(after) && after > 0 ? after : 0, gone.signal), () => gone.abort());
    },
    cancel(call, id) {
      const job = find(call, id);
      job.cancel();
      return Response.json(shown(job));
    },
  };
}

function shown({ id, task, model, created, status, ticket, events }: Kept): Job {
  const last = events.at(-1);
  return {
    ...{ id, task, model, status, created },
    queue_position: status === "queued" ? (ticket.position() ?? null) : null,
    poll_url: `/api/jobs/${id}`,
    events_url: `/api/jobs/${id}/events`,
    result: last?.type === "done" ? last.result : undefined,
    error: last?.type === "error" ? last.error : undefined,
  };
}

/** Collects the events of a job to its end; previews only while there is `room` for them. */
async function follow(job: Kept, work: Work, room: (size: number) => boolean): Promise<void> {
  let tell = () => {};
  const renew = () => (job.news = new Promise((resolve) => (tell = resolve)));
  const add = (event: JobEvent) => {
    const size = sizeOf(event);
    if (!room(size) && event.type === "partial") return;
    job.size += size;
    job.events.push(event);
    const told = tell;
    renew();
    told();
  };
  renew();
  try {
    for await (const event of job.ticket) {
      if (event.kind === "started") job.status = "running";
      if (event.kind === "images" || event.kind === "answer") job.status = "done";
      add(eventOf(event, work));
    }
  } catch (error) {
    const { status, body } = answerFor(error);
    job.status = status === 499 ? "cancelled" : "error";
    add(status === 499 ? { type: "cancelled" } : { type: "error", error: body.error });
  }
}

function sizeOf(event: JobEvent): number {
  if (event.type === "partial") return event.b64_json.length;
  if (event.type === "step") return 8 * (event.images ?? []).reduce((n, { tokens }) => n + 3 * tokens.length, 0);
  if (event.type !== "done" || event.result.kind !== "images") return 0;
  return event.result.images.reduce((n, { b64_json }) => n + b64_json.length, 0);
}

const isLast = ({ type }: JobEvent): boolean => type === "done" || type === "error" || type === "cancelled";

/** All events from the one behind `after` on; their ids count from 1. */
async function* watch(job: Kept, after: number, gone: AbortSignal): AsyncGenerator<SseEvent> {
  const leaving = new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve()));
  for (let i = after; !gone.aborted; ) {
    const event = job.events[i];
    if (!event) {
      if (job.events.length && isLast(job.events.at(-1)!)) return;
      await Promise.race([job.news, leaving]);
      continue;
    }
    yield { event: event.type, id: `${++i}`, data: JSON.stringify(event) };
    if (isLast(event)) return;
  }
}

async function workOf(job: JobRequest, call: Call): Promise<Work> {
  const { rules } = call;
  if (job.task === "describe")
    return {
      task: "describe",
      image: await pictureOf(job.image, "image", rules),
      question: job.question ?? undefined,
      decoding: job.decoding ?? undefined,
      block: job.block ?? undefined,
      temperature: job.temperature ?? undefined,
      topK: job.top_k ?? undefined,
      seed: job.seed ?? undefined,
      maxTokens: job.max_tokens ?? undefined,
    };
  const drawing: Drawing = {
    ...drawingOf(job, rules.limits),
    partials: previewsOf("preview", job.preview, job.n, rules.limits),
    cells: job.cells ?? false,
    schedule: job.schedule ?? undefined,
  };
  if (job.task === "generate") return { task: "generate", ...drawing };
  const image = await pictureOf(job.image, "image", rules);
  if (job.task === "extend") {
    const margins = { left: job.left ?? 0, right: job.right ?? 0, up: job.up ?? 0, down: job.down ?? 0 };
    return { task: "edit", ...drawing, image, margins, maskMode: "auto" };
  }
  const mask = job.mask ? await pictureOf(job.mask, "mask", rules) : undefined;
  return { task: "edit", ...drawing, image, mask, maskMode: job.mask_mode ?? "auto" };
}

const plain = ({ tokens, mask, confidence }: Cells) => ({
  tokens: [...tokens],
  mask: [...mask],
  // Four digits are enough to look at, and a third of the bytes.
  confidence: Array.from(confidence, (p) => Math.round(p * 1e4) / 1e4),
});

function eventOf(event: TicketEvent, work: Work): JobEvent {
  switch (event.kind) {
    case "queued":
      return { type: "queued", position: event.position };
    case "started":
      return { type: "started" };
    case "step":
      return {
        ...{ type: "step", index: event.index, total: event.total, grid: event.grid },
        images: event.images?.map(plain),
      };
    case "partial": {
      const { index, total, image, width, height, bytes } = event;
      return { type: "partial", index, total, image, width, height, b64_json: base64(bytes) };
    }
    case "text": {
      const { delta, draft, pass, tokens } = event;
      return { type: "text", delta, draft, pass, tokens };
    }
    default:
      return { type: "done", result: resultOf(event, work) };
  }
}

function resultOf(event: Extract<WorkEvent, { kind: "images" | "answer" }>, work: Work): JobResult {
  const { timings, warnings } = event;
  if (event.kind === "images")
    return {
      kind: "images",
      images: event.images.map((image) => ({
        b64_json: base64(image.bytes),
        width: image.width,
        height: image.height,
        fewstep: madeOf(image),
      })),
      output_format: (work as Drawing).format,
      usage: usageOf(event.tokens),
      timings,
      warnings: [...warnings],
    };
  const { text, question, tokens, passes, finish, seed, promptTokens } = event;
  const usage = { prompt_tokens: promptTokens, completion_tokens: tokens, total_tokens: promptTokens + tokens };
  return { kind: "text", ...{ text, question, tokens, passes, finish, seed, usage, timings }, warnings: [...warnings] };
}
