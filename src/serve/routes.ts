/** Every route of the server in one table, with what it takes and gives. The application and its document are made of it. */
import type { z } from "zod";
import type { Call } from "./call.ts";
import { chat } from "./chat.ts";
import { refuse } from "./errors.ts";
import { edits, generations } from "./images.ts";
import type { Jobs } from "./jobs.ts";
import type { Metrics } from "./metrics.ts";
import * as protocol from "./protocol.ts";
import type { Worker } from "./worker.ts";

/** What routes answer from beside the call itself. */
export interface State {
  readonly workers: readonly Worker[];
  readonly jobs: Jobs;
  readonly metrics: Metrics;
  readonly created: number;
  readonly document: () => object;
  readonly closing: () => boolean;
}

export interface Route {
  readonly method: "get" | "post" | "delete";
  /** As the router and, with braces, OpenAPI write it. */
  readonly path: string;
  readonly summary: string;
  /** Whether it answers without a key. */
  readonly open?: true;
  readonly takes?: { schema: z.ZodType; form?: true };
  /** The JSON of its answer; absent: text. */
  readonly gives?: z.ZodType;
  /** The events of its stream. */
  readonly streams?: readonly z.ZodType[];
  readonly status?: number;
  handle(call: Call, state: State, id: string): Response | Promise<Response>;
}

const card = ({ id }: Worker, { created }: State) => ({ id, object: "model", created, owned_by: "fewstep" });

export const ROUTES: readonly Route[] = [
  {
    method: "post",
    path: "/v1/images/generations",
    summary: "Draw pictures of a sentence.",
    takes: { schema: protocol.ImageGenerationRequest },
    gives: protocol.ImagesResponse,
    streams: [protocol.PartialImageEvent, protocol.CompletedImageEvent],
    handle: generations,
  },
  {
    method: "post",
    path: "/v1/images/edits",
    summary: "Draw part of a picture anew, or what lies beyond its edges.",
    takes: { schema: protocol.ImageEditRequest, form: true },
    gives: protocol.ImagesResponse,
    streams: [protocol.PartialImageEvent, protocol.CompletedImageEvent],
    handle: edits,
  },
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Describe a picture or answer a question about it.",
    takes: { schema: protocol.ChatRequest },
    gives: protocol.ChatResponse,
    streams: [protocol.ChatChunk],
    handle: chat,
  },
  {
    method: "get",
    path: "/v1/models",
    summary: "The models of this server; the first is the default.",
    gives: protocol.ModelList,
    handle: (_, state) => Response.json({ object: "list", data: state.workers.map((worker) => card(worker, state)) }),
  },
  {
    method: "get",
    path: "/v1/models/:id",
    summary: "One model.",
    gives: protocol.ModelCard,
    handle: (call, state, id) => Response.json(card(call.worker(id), state)),
  },
  {
    method: "get",
    path: "/api/capabilities",
    summary: "What the server and its models can do.",
    gives: protocol.Capabilities,
    handle: (call, state) => Response.json(capabilities(call, state)),
  },
  {
    method: "post",
    path: "/api/jobs",
    summary: "Start a job; watch its events or ask for it later.",
    takes: { schema: protocol.JobRequest },
    gives: protocol.Job,
    status: 202,
    handle: (call, { jobs }) => jobs.create(call),
  },
  {
    method: "get",
    path: "/api/jobs/:id",
    summary: "A job with its result.",
    gives: protocol.Job,
    handle: (call, { jobs }, id) => jobs.show(call, id),
  },
  {
    method: "get",
    path: "/api/jobs/:id/events",
    summary: "The events of a job from the first one, or behind Last-Event-ID.",
    streams: [protocol.JobEvent],
    handle: (call, { jobs }, id) => jobs.events(call, id),
  },
  {
    method: "post",
    path: "/api/jobs/:id/cancel",
    summary: "Cancel a job before its next step.",
    gives: protocol.Job,
    handle: (call, { jobs }, id) => jobs.cancel(call, id),
  },
  {
    method: "post",
    path: "/api/models/:id/unload",
    summary: "End the process of a model, which gives its memory back; the next request starts it again.",
    gives: protocol.ModelCard,
    handle(call, state, id) {
      const worker = call.worker(id);
      if (!worker.unload()) refuse(409, "the model is at work", { code: "model_busy" });
      return Response.json(card(worker, state));
    },
  },
  {
    method: "get",
    path: "/health",
    summary: "Whether the server lives.",
    open: true,
    handle: () => Response.json({ status: "ok" }),
  },
  {
    method: "get",
    path: "/ready",
    summary: "Whether every model is loaded.",
    open: true,
    handle(_, { workers, closing }) {
      const ready = !closing() && workers.every(({ state }) => state === "ready");
      return Response.json({ ready }, { status: ready ? 200 : 503, headers: ready ? {} : { "retry-after": "1" } });
    },
  },
  {
    method: "get",
    path: "/metrics",
    summary: "Counts in the text format of Prometheus.",
    handle: (_, { metrics }) =>
      new Response(metrics.text(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } }),
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "This description.",
    handle: (_, { document }) => Response.json(document()),
  },
];

function capabilities({ rules }: Call, { workers }: State): protocol.Capabilities {
  const { steps, seconds, bytes, pixels } = rules.limits;
  return {
    models: workers.map(({ id, state, about, tasks }) => ({
      id,
      state,
      tasks: [...tasks],
      resolution: about?.resolution,
      grid: about?.grid,
      codebook: about?.codebook,
      defaults: about && {
        steps: about.defaults.steps,
        guidance_scale: about.defaults.guidance,
        temperature: about.defaults.temperature,
        draft_scales: about.defaults.draftScales,
      },
      question: about?.question,
      max_tokens: about?.maxTokens,
      words: about?.words,
      classes: about?.classes,
    })),
    limits: { steps, n: 10, seconds, bytes, pixels },
    remote_images: rules.remote,
  };
}
