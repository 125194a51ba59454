/** One request on its way: who asks, for what model, and how results and errors go back. */
import { answerFor, refuse } from "./errors.ts";
import type { PictureRules } from "./pictures.ts";
import { type SseEvent, sseResponse } from "./sse.ts";
import type { Work, WorkEvent } from "./work.ts";
import type { Ticket, Worker } from "./worker.ts";

export interface Call {
  readonly request: Request;
  /** Whose turn it is: the key and the address. */
  readonly client: string;
  /** Whose jobs these are: the key. */
  readonly owner: string;
  readonly rules: PictureRules;
  /** Ends what the request asked for: the client has left, or has what it wanted. */
  readonly leave: AbortController;
  /** The model of that name, or the first one. Errors: 404. */
  worker(model: string | null | undefined): Worker;
  /** Errors: 404 for unknown models, 429. */
  submit(model: string | null | undefined, work: Work): Ticket;
  /** The last event of a ticket. Errors: what became of the work. */
  result<K extends "images" | "answer">(ticket: Ticket, kind: K): Promise<Extract<WorkEvent, { kind: K }>>;
  /** A stream of events; what goes wrong on the way becomes one of them. */
  stream(ticket: Ticket, events: (ticket: Ticket) => AsyncIterable<SseEvent>): Response;
}

export interface Caller {
  request: Request;
  client: string;
  owner: string;
}

export function createCall(caller: Caller, workers: readonly Worker[], rules: PictureRules): Call {
  const { request, client } = caller;
  const leave = new AbortController();
  const left = () => leave.abort();
  if (request.signal.aborted) left();
  request.signal.addEventListener("abort", left, { once: true });

  const worker: Call["worker"] = (model) => {
    const found = model ? workers.find(({ id }) => id === model) : workers[0];
    return (
      found ??
      refuse(
        404,
        `there is no model ${JSON.stringify(model?.slice(0, 80))}; there is ${workers.map(({ id }) => id).join(", ")}`,
        {
          code: "model_not_found",
          param: "model",
        },
      )
    );
  };
  return {
    ...caller,
    rules,
    leave,
    worker,
    submit: (model, work) => worker(model).submit(work, { client, signal: leave.signal }),
    async result(ticket, kind) {
      for await (const event of ticket)
        if (event.kind === kind) return event as Extract<WorkEvent, { kind: typeof kind }>;
      return refuse(500, "internal: the work ended without a result");
    },
    stream: (ticket, events) => sseResponse(withErrors(events(ticket)), left),
  };
}

/** The clients of OpenAI's API throw what an event named error says. */
async function* withErrors(events: AsyncIterable<SseEvent>): AsyncGenerator<SseEvent> {
  try {
    yield* events;
  } catch (error) {
    yield { event: "error", data: JSON.stringify(answerFor(error).body) };
  }
}
