/**
 * One model at work: requests wait in turns, share batches where they can, go to the model's process, and end within
 * their time whatever happens. Knows no HTTP.
 */
import { randomUUID } from "node:crypto";
import type { ModelSource } from "../models/index.ts";
import { createEngine, type EngineState } from "./engine.ts";
import { clientLeft, errorOfWork, ServeError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { mailbox } from "./mailbox.ts";
import type { Metrics } from "./metrics.ts";
import { TASKS, type Task } from "./protocol.ts";
import { fairQueue } from "./queue.ts";
import { type About, batchKey, drawsClasses, rowsOf, type Work, type WorkEvent } from "./work.ts";

export type TicketEvent = { kind: "queued"; position: number } | { kind: "started" } | WorkEvent;

/** A request that was accepted. Reading ends with `images` or `answer`, or throws a ServeError. */
export interface Ticket extends AsyncIterable<TicketEvent> {
  readonly id: string;
  /** How many requests are served before it; undefined once it runs. */
  position(): number | undefined;
}

export interface Worker {
  readonly id: string;
  readonly state: EngineState;
  readonly about: About | undefined;
  /** What it can be asked for. */
  readonly tasks: readonly Task[];
  readonly pid: number | undefined;
  readonly waiting: number;
  readonly running: number;
  /** Loads the model. Errors: what loading says. */
  start(): Promise<void>;
  /** Errors: 400 for what this kind of model does not do, 429 when the queue is full, 503 when the server is closing. */
  submit(work: Work, options: { client: string; signal: AbortSignal }): Ticket;
  /**
   * Ends the process of the model and gives its memory back; the next request starts it again. False, and nothing done,
   * while somebody waits for work. A process that is about to say that it has ended its last work is not at work.
   */
  unload(): boolean;
  /** Takes nothing new, gives what there is `seconds` to end, then ends it. */
  close(seconds: number): Promise<void>;
}

export interface WorkerOptions {
  id: string;
  source: ModelSource;
  threads?: number;
  limits: Limits;
  log: Log;
  metrics: Metrics;
}

/** A process that dies this often while it loads its model is given up, until the next request. */
const MOST_STARTS = 5;

interface Request {
  id: string;
  client: string;
  work: Work;
  arrived: number;
  begun?: number;
  steps: number;
  put(event: TicketEvent): void;
  /** Ends it for its client; what the process still does for it nobody hears. */
  end(outcome: string, error?: ServeError): void;
}

export function createWorker({ id: model, source, threads, limits, log, metrics }: WorkerOptions): Worker {
  const classes = drawsClasses(source);
  const queue = fairQueue<Request>(limits.queue);
  const running = new Map<string, Request>();
  const ended = new WeakSet<Request>();
  let busy = false;
  let closing = false;
  /** Mean time of a batch, for those who are told to come back later. */
  let seconds = 1;
  let failedStarts = 0;

  const engine = createEngine({
    source,
    threads,
    onEvent(id, event) {
      if (event.kind === "step" || event.kind === "text") metrics.steps.add({ model });
      const request = running.get(id);
      if (!request) return;
      if (event.kind === "step" || event.kind === "text") request.steps++;
      request.put(event);
      if (event.kind === "images") metrics.images.add({ model }, event.images.length);
      if (event.kind === "answer") metrics.tokens.add({ model }, event.tokens);
      if (event.kind === "images" || event.kind === "answer") request.end("done");
    },
    onReady: (pid, took) => log({ level: "info", event: "engine ready", model, pid, took }),
    onFailed: (id, error) => running.get(id)?.end("failed", errorOfWork(error)),
    onCrash(how) {
      metrics.crashes.add({ model });
      log({ level: "error", event: "engine ended", model, how, lost: running.size });
    },
  });

  async function pump(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      while (queue.size) {
        const ready = await engine.start().then(
          () => true,
          (error) => notStarted(error),
        );
        if (ready) await work();
      }
    } finally {
      busy = false;
    }
  }

  /** A process that died while it loaded is tried again a few times; what the model's files say is final. */
  function notStarted(error: unknown): boolean {
    const died = error instanceof ServeError && error.details.code === "engine_crashed";
    if (died && ++failedStarts < MOST_STARTS) return false;
    const message = `the model does not load: ${(error as Error).message}`;
    const reason = new ServeError(503, message, { code: "model_unavailable" });
    log({ level: "error", event: "engine did not start", model, error: reason.message });
    for (const request of queue.order()) {
      queue.remove(request);
      request.end("failed", reason);
    }
    return false;
  }

  async function work(): Promise<void> {
    failedStarts = 0;
    const batch = takeBatch();
    if (batch.length === 0) return;
    const now = performance.now();
    for (const request of batch) {
      request.begun = now;
      running.set(request.id, request);
      request.put({ kind: "started" });
    }
    metrics.batches.observe({ model }, batch.length);
    try {
      await engine.run(batch.map(({ id, work }) => ({ id, work })));
    } catch (error) {
      for (const request of batch) request.end("failed", error as ServeError);
    }
    seconds = 0.8 * seconds + (0.2 * (performance.now() - now)) / 1000;
    for (const request of batch) running.delete(request.id);
  }

  function takeBatch(): Request[] {
    const first = queue.take();
    if (!first) return [];
    const batch = [first];
    const key = classes ? undefined : batchKey(first.work);
    let rows = rowsOf(first.work);
    for (let more: Request | undefined = first; more && key !== undefined; ) {
      more = queue.takeWhere(({ work }) => batchKey(work) === key && rows + rowsOf(work) <= limits.batch);
      if (more) batch.push(more);
      if (more) rows += rowsOf(more.work);
    }
    return batch;
  }

  /** Takes a request out of the line, or tells the process that nobody wants it, which must obey in time. */
  function cancel(request: Request): void {
    if (queue.remove(request) || !running.has(request.id)) return;
    engine.cancel(request.id);
    const { pid } = engine;
    const timer = setTimeout(() => {
      if (!running.has(request.id) || engine.pid !== pid) return;
      // Others of its batch may still want theirs.
      if ([...running.values()].some((other) => !ended.has(other))) return;
      log({ level: "error", event: "engine killed", model, why: "cancelled work did not end" });
      engine.kill();
    }, limits.patience * 1000);
    timer.unref();
  }

  function submit(work: Work, { client, signal }: { client: string; signal: AbortSignal }): Ticket {
    if (closing) throw new ServeError(503, "the server is shutting down", { code: "closing", retryAfter: 5 });
    if (signal.aborted) throw clientLeft();
    if (classes && work.task !== "generate")
      throw new ServeError(400, `model: ${model} draws classes from their names and does nothing else`, {
        code: "unsupported_task",
        param: "model",
      });
    const box = mailbox<TicketEvent>(({ kind }) => kind === "partial" || kind === "step");
    const request: Request = {
      id: randomUUID(),
      client,
      work,
      arrived: performance.now(),
      steps: 0,
      put: box.put,
      end(outcome, error) {
        if (ended.has(request)) return;
        ended.add(request);
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        box.close(error);
        report(request, outcome, error);
      },
    };
    const onAbort = () => {
      request.end("cancelled", clientLeft());
      cancel(request);
    };
    const timer = setTimeout(() => {
      const message = `not done within ${limits.seconds} s, which is the limit of this server`;
      request.end("timeout", new ServeError(504, message, { code: "timeout" }));
      cancel(request);
    }, limits.seconds * 1000);
    signal.addEventListener("abort", onAbort);

    if (!queue.add(client, request)) {
      const full = new ServeError(429, "too many requests are waiting for this model; try again later", {
        code: "rate_limit_exceeded",
        retryAfter: Math.max(1, Math.ceil((queue.size * seconds) / 2)),
      });
      request.end("refused", full);
      throw full;
    }
    const position = () => (queue.order().includes(request) ? queue.order().indexOf(request) : undefined);
    request.put({ kind: "queued", position: position()! });
    void pump();
    return { id: request.id, position, [Symbol.asyncIterator]: () => box[Symbol.asyncIterator]() };
  }

  function report({ id, client, work, arrived, begun, steps }: Request, outcome: string, error?: ServeError): void {
    const now = performance.now();
    const waited = Math.round((begun ?? now) - arrived);
    const took = begun === undefined ? 0 : Math.round(now - begun);
    metrics.work.observe({ model, task: work.task, outcome }, (now - arrived) / 1000);
    log({
      level: outcome === "failed" ? "warn" : "info",
      event: "work",
      id,
      client,
      model,
      task: work.task,
      outcome,
      waited,
      took,
      steps,
      error: error?.message,
    });
  }

  return {
    id: model,
    tasks: classes ? ["generate"] : TASKS,
    get state() {
      return engine.state;
    },
    get about() {
      return engine.about;
    },
    get pid() {
      return engine.pid;
    },
    get waiting() {
      return queue.size;
    },
    get running() {
      return running.size;
    },
    start: () => engine.start(),
    submit,
    unload() {
      const wanted = [...queue.order(), ...running.values()].some((request) => !ended.has(request));
      if (!wanted) engine.kill();
      return !wanted;
    },
    async close(seconds) {
      closing = true;
      const until = performance.now() + seconds * 1000;
      while (busy && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
      const late = new ServeError(503, "the server has shut down", { code: "closing" });
      for (const request of [...queue.order(), ...running.values()]) {
        queue.remove(request);
        request.end("cancelled", late);
      }
      engine.kill();
    },
  };
}
