/** The server as a function from request to response: guards, routes, errors. Knows no sockets. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Hono } from "hono";
import { fail } from "../base/index.ts";
import { DEFAULT_MODEL, type ModelSource } from "../models/index.ts";
import { createCall } from "./call.ts";
import { answerFor, ServeError } from "./errors.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { createJobs } from "./jobs.ts";
import { LIMITS, type Limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { ROUTES, type State } from "./routes.ts";
import { createWorker } from "./worker.ts";

export interface ServiceOptions extends Partial<GuardOptions> {
  /** Models by name or folder, or with an id of their own. The first is the default; default: that of the package. */
  models?: readonly (string | { id: string; source: ModelSource })[];
  limits?: Partial<Limits>;
  /** Whether pictures behind http(s) URLs are fetched. */
  remoteImages?: boolean;
  /** Processor threads of each model; default: all. */
  threads?: number;
  log?: Log;
}

/** What the socket knows of a request, where there is one. */
export interface Peer {
  address?: string;
}

export interface Service {
  readonly limits: Limits;
  /** Answers a request. Never throws. */
  fetch(request: Request, peer?: Peer): Promise<Response>;
  /** Loads every model. Errors: what loading says. Without it the first request of a model loads it. */
  start(): Promise<void>;
  /** Refuses new work, gives what there is `seconds` to end, then ends the processes of the models. */
  close(seconds?: number): Promise<void>;
}

const version = (): string => JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;

/** Processes of models start with `start()` or the first request, and end with `close()`. */
export function createService(options: ServiceOptions = {}): Service {
  const { models = [DEFAULT_MODEL], keys = [], hosts, origins = [], remoteImages = false, threads } = options;
  const log = options.log ?? (() => {});
  const limits = { ...LIMITS, ...options.limits };
  const guard = createGuard({ keys, hosts, origins });
  const metrics = createMetrics(() => workers);
  const workers = models.map((model) => {
    const { id, source } = typeof model === "string" ? { id: basename(model), source: model } : model;
    return createWorker({ id, source, threads, limits, log, metrics });
  });
  if (workers.length === 0) fail("there is no model to serve", { where: "models" });
  const twice = workers.find(({ id }, i) => workers.findIndex((other) => other.id === id) < i);
  if (twice) fail(`two models are called ${twice.id}`, { where: "models", hint: "Give them ids of their own." });

  let closing = false;
  let document: object | undefined;
  const state: State = {
    workers,
    metrics,
    jobs: createJobs(limits),
    created: Math.floor(Date.now() / 1000),
    document: () => (document ??= openApi(ROUTES, version())),
    closing: () => closing,
  };
  const rules = { limits, remote: remoteImages };

  type Env = { Bindings: Peer; Variables: { id: string; route: string } };
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    const begun = performance.now();
    c.set("id", randomUUID());
    await next();
    const took = Math.round(performance.now() - begun);
    c.header("x-request-id", c.get("id"));
    c.header("openai-processing-ms", `${took}`);
    c.header("x-content-type-options", "nosniff");
    // Paths that are no route may hold anything; they are counted as one.
    const route = c.get("route") ?? "other";
    const { status } = c.res;
    metrics.requests.add({ route, method: c.req.method.slice(0, 10), status: `${status}` });
    const { method, path } = c.req;
    log({ level: "info", event: "request", id: c.get("id"), method, path: path.slice(0, 200), status, took });
  });
  app.use(async (c, next) => {
    guard.checkHost(c.req.raw);
    const cors = guard.checkOrigin(c.req.raw);
    if (c.req.method === "OPTIONS") {
      const asked = { "access-control-allow-methods": "GET, POST, DELETE", "access-control-max-age": "600" };
      const headers = { "access-control-allow-headers": "authorization, content-type, last-event-id" };
      return c.body(null, 204, { ...cors, ...asked, ...headers });
    }
    await next();
    for (const [name, value] of Object.entries(cors)) c.header(name, value);
    return undefined;
  });
  for (const route of ROUTES)
    app.on(route.method.toUpperCase(), route.path, async (c) => {
      c.set("route", route.path);
      const key = route.open ? undefined : guard.checkKey(c.req.raw);
      const owner = key ?? "anyone";
      const client = `${owner} ${c.env?.address ?? "local"}`;
      const call = createCall({ request: c.req.raw, client, owner }, workers, rules);
      return route.handle(call, state, c.req.param("id") ?? "");
    });
  app.notFound((c) =>
    errorResponse(
      new ServeError(404, `unknown request: ${c.req.method.slice(0, 10)} ${c.req.path.slice(0, 200)}`, {
        code: "unknown_url",
      }),
    ),
  );
  app.onError((error, c) => {
    const answer = answerFor(error);
    if (answer.status === 500)
      log({ level: "error", event: "internal error", id: c.get("id"), error: error.stack ?? error.message });
    return errorResponse(answer);
  });

  return {
    limits,
    fetch: async (request, peer) => app.fetch(request, peer ?? {}),
    start: async () => void (await Promise.all(workers.map((worker) => worker.start()))),
    async close(seconds = 0) {
      closing = true;
      await Promise.all(workers.map((worker) => worker.close(seconds)));
      metrics.close();
    },
  };
}

export function errorResponse({ status, body, details: { retryAfter } }: ServeError): Response {
  const headers: Record<string, string> = {};
  if (retryAfter !== undefined) headers["retry-after"] = `${retryAfter}`;
  if (status === 401) headers["www-authenticate"] = "Bearer";
  // What is left of a body that was too large is not read.
  if (status === 413) headers.connection = "close";
  return Response.json(body, { status, headers });
}
