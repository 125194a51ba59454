/** Counts of what happened, as text in the exposition format of Prometheus. */
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Milliseconds between two looks at the event loop. */
const RESOLUTION = 10;

type Labels = Readonly<Record<string, string>>;

const escaped = (value: string): string => value.replace(/["\\\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`));
const shown = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length ? `{${pairs.join(",")}}` : "";
};

interface Metric {
  lines(): string[];
}

const head = (name: string, type: string, help: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
];

function counter(name: string, help: string) {
  const values = new Map<string, number>();
  return {
    add(labels: Labels, by = 1): void {
      values.set(shown(labels), (values.get(shown(labels)) ?? 0) + by);
    },
    lines: () => [...head(name, "counter", help), ...[...values].map(([labels, value]) => `${name}${labels} ${value}`)],
  };
}

function histogram(name: string, help: string, bounds: readonly number[]) {
  const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();
  return {
    observe(labels: Labels, value: number): void {
      const key = shown(labels);
      const one = series.get(key) ?? { labels, counts: bounds.map(() => 0), sum: 0, count: 0 };
      series.set(key, one);
      for (const [i, bound] of bounds.entries()) if (value <= bound) one.counts[i]++;
      one.sum += value;
      one.count++;
    },
    lines: () => [
      ...head(name, "histogram", help),
      ...[...series.values()].flatMap(({ labels, counts, sum, count }) => [
        ...counts.map((n, i) => `${name}_bucket${shown({ ...labels, le: `${bounds[i]}` })} ${n}`),
        `${name}_bucket${shown({ ...labels, le: "+Inf" })} ${count}`,
        `${name}_sum${shown(labels)} ${sum}`,
        `${name}_count${shown(labels)} ${count}`,
      ]),
    ],
  };
}

const gauge = (name: string, help: string, read: () => Iterable<readonly [Labels, number]>): Metric => ({
  lines: () => [
    ...head(name, "gauge", help),
    ...[...read()].map(([labels, value]) => `${name}${shown(labels)} ${value}`),
  ],
});

export type Metrics = ReturnType<typeof createMetrics>;

/** What a model's worker tells of itself when it is asked. */
interface Watched {
  readonly id: string;
  readonly state: string;
  readonly waiting: number;
  readonly running: number;
}

export function createMetrics(workers: () => Iterable<Watched>) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const each = (read: (worker: Watched) => number) => () =>
    [...workers()].map((worker) => [{ model: worker.id }, read(worker)] as const);
  const counted = {
    requests: counter("fewstep_http_requests_total", "HTTP requests by route and status."),
    work: histogram(
      "fewstep_work_seconds",
      "From request to result, waiting included.",
      [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    ),
    batches: histogram("fewstep_batch_requests", "Requests that shared a batch.", [1, 2, 4, 8]),
    steps: counter("fewstep_steps_total", "Forward passes that were told to requests."),
    images: counter("fewstep_images_total", "Pictures drawn."),
    tokens: counter("fewstep_text_tokens_total", "Text tokens written."),
    crashes: counter("fewstep_engine_crashes_total", "Processes of models that ended by themselves."),
  };
  const read: Metric[] = [
    gauge(
      "fewstep_queue_waiting",
      "Requests that wait.",
      each(({ waiting }) => waiting),
    ),
    gauge(
      "fewstep_running",
      "Requests under way.",
      each(({ running }) => running),
    ),
    gauge(
      "fewstep_engine_up",
      "1 while the model is loaded.",
      each(({ state }) => Number(state === "ready")),
    ),
    gauge("process_resident_memory_bytes", "Memory of the server, without the models.", () => [
      [{}, process.memoryUsage.rss()],
    ]),
    gauge("nodejs_eventloop_delay_seconds", "Delay of the event loop since the last look.", () => {
      // It counts from one look to the next, so that no delay at all is one resolution.
      const seconds = (p: number) => Math.max(0, delay.percentile(p) / 1e6 - RESOLUTION) / 1e3;
      const lines = [50, 99, 100].map((p) => [{ quantile: `${p / 100}` }, seconds(p)] as const);
      delay.reset();
      return lines;
    }),
  ];
  return {
    ...counted,
    text: () => [...Object.values(counted), ...read].flatMap((metric) => metric.lines()).join("\n") + "\n",
    close: () => void delay.disable(),
  };
}
