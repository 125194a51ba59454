/** Events on their way to one reader who may be slow. */

export interface Mailbox<T> extends AsyncIterable<T> {
  put(item: T): void;
  /** After this the reader gets what is there, then the end, or `error`. */
  close(error?: Error): void;
}

/** Beyond this many waiting items those that are `passing` are left out: a slow reader sees fewer of them. */
const BACKLOG = 64;

export function mailbox<T>(passing: (item: T) => boolean): Mailbox<T> {
  const waiting: T[] = [];
  let closed = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  return {
    put(item) {
      if (closed || (passing(item) && waiting.length >= BACKLOG)) return;
      waiting.push(item);
      wake?.();
    },
    close(error) {
      if (closed) return;
      closed = true;
      failure = error;
      wake?.();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (waiting.length) yield waiting.shift()!;
        if (failure) throw failure;
        if (closed) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
