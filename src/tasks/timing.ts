/** Where the time of a task went. */

/** Milliseconds by name; `total` runs from the start. */
export type Timings = { total: number } & Record<string, number>;

export interface Stopwatch {
  /** Adds the time that `work` takes to `name`. */
  measure<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Times so far, rounded to hundredths. */
  read(): Timings;
}

export function stopwatch(): Stopwatch {
  const start = performance.now();
  const spent = new Map<string, number>();
  const round = (ms: number) => Math.round(ms * 100) / 100;
  return {
    async measure(name, work) {
      const from = performance.now();
      try {
        return await work();
      } finally {
        spent.set(name, (spent.get(name) ?? 0) + performance.now() - from);
      }
    },
    read() {
      const parts = [...spent].map(([name, ms]) => [name, round(ms)]);
      return { total: round(performance.now() - start), ...Object.fromEntries(parts) };
    },
  };
}
