/** Work under way: steps to watch, a result to await. Knows nothing of the work. */

/**
 * Iterate it for its steps, await it for its result, or both. Nothing is computed before someone asks for it, so leaving
 * the loop early stops the work; awaiting the result goes on with it. Iterating twice gives the same steps.
 */
export interface Run<Step, Result> extends AsyncIterable<Step>, PromiseLike<Result> {
  /** What awaiting the run gives, as a plain promise. */
  readonly result: Promise<Result>;
  /** Ends the work before its next step; everyone who waits gets an error with code ABORTED. */
  abort(reason?: unknown): void;
}

export function createRun<Step, Result>(
  work: (signal: AbortSignal) => AsyncGenerator<Step, Result>,
  signal?: AbortSignal,
): Run<Step, Result> {
  const controller = new AbortController();
  const generator = work(signal ? AbortSignal.any([signal, controller.signal]) : controller.signal);
  const steps: Promise<IteratorResult<Step, Result>>[] = [];
  const step = (index: number) => (steps[index] ??= generator.next());

  async function finish(): Promise<Result> {
    for (let i = 0; ; i++) {
      const { done, value } = await step(i);
      if (done) return value;
    }
  }

  let result: Promise<Result> | undefined;
  return {
    get result() {
      return (result ??= finish());
    },
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited like a promise.
    then(fulfilled, rejected) {
      return this.result.then(fulfilled, rejected);
    },
    async *[Symbol.asyncIterator]() {
      for (let i = 0; ; i++) {
        const { done, value } = await step(i);
        if (done) return;
        yield value;
      }
    },
    abort: (reason) => controller.abort(reason),
  };
}
