/** Server-sent events (HTML standard, section 9.2). Knows nothing of what they say. */

export interface SseEvent {
  event?: string;
  id?: string;
  data: string;
}

const KEEPALIVE_MS = 15_000;

/** One event as text; `data` holds no line breaks, because it is JSON or a mark of ours. */
const textOf = ({ event, id, data }: SseEvent): string =>
  `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;

/**
 * A response that streams `events` as fast as the client reads them, with comments in between that keep the connection
 * alive. `left` is called when the client goes before the end. `events` must not throw.
 */
export function sseResponse(events: AsyncIterable<SseEvent>, left: () => void): Response {
  const iterator = events[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let keepalive: ReturnType<typeof setInterval>;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      keepalive = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": keepalive\n\n"));
      }, KEEPALIVE_MS);
    },
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (!done) return controller.enqueue(encoder.encode(textOf(value)));
      clearInterval(keepalive);
      controller.close();
    },
    cancel() {
      clearInterval(keepalive);
      left();
    },
  });
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}
