/**
 * A server under load: mixed requests of several clients, so many in flight, for a while. Counts failures by kind, looks
 * at the memory of the server and its engine after warm-up and at the end, at the waits of a client with one request in
 * flight beside one with most of them, and at the delay of the event loop. `--kill` ends the engine every 20 seconds,
 * `--write FILE` puts the figures into a page's section bench:load or bench:load-kill.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { encodePicture, picture } from "fewstep/image";
import { type LogEntry, startServer } from "fewstep/serve";
import { circumstances, median, table, writeSection } from "./report.ts";

const KILL_EVERY_MS = 20_000;
/** Memory is looked at after each of so many parts; the first is the warm-up. */
const PARTS = 4;
/** The first client is modest: one request in flight at any time. The others share the rest. */
const CLIENTS = ["modest", "busy", "busier"];

interface Outcome {
  client: string;
  kind: string;
  result: string;
  seconds: number;
}

/** What the server's process tells when it is asked. */
interface Vitals {
  memory: number;
  /** Objects that are still wanted: what a leak would fill. */
  heap: number;
  delay: { p50: number; p99: number; max: number };
  crashes: number;
  pid?: number;
}

/** The server, in a process of its own, so that the clients' work is not counted. */
async function serve(): Promise<void> {
  let pid: number | undefined;
  const log = (entry: LogEntry) => {
    if (entry.event === "engine ready") pid = Number(entry.pid);
  };
  const server = await startServer({ port: 0, keys: CLIENTS, log });
  const headers = { authorization: `Bearer ${CLIENTS[0]}` };
  process.on("message", async (message) => {
    if (message === "end") {
      await server.close(5);
      return process.exit();
    }
    const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
    const value = (line: string) =>
      Number(
        text
          .split("\n")
          .find((one) => one.startsWith(line))
          ?.split(" ")
          .at(-1) ?? 0,
      );
    const delay = (quantile: string) => 1000 * value(`nodejs_eventloop_delay_seconds{quantile="${quantile}"}`);
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    const vitals: Vitals = {
      memory: rss,
      heap: heapUsed,
      delay: { p50: delay("0.5"), p99: delay("0.99"), max: delay("1") },
      crashes: value("fewstep_engine_crashes_total"),
      pid,
    };
    return process.send?.(vitals);
  });
  process.send?.({ url: server.url });
}

const once = <T>(child: ChildProcess, ask?: string): Promise<T> =>
  new Promise((resolve) => {
    child.once("message", (message) => resolve(message as T));
    if (ask) child.send(ask);
  });

/** Resident memory of a process, in bytes (Linux). */
function memoryOf(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      flight: { type: "string", default: "16" },
      requests: { type: "string", default: "200" },
      kill: { type: "boolean", default: false },
      write: { type: "string" },
    },
  });
  const [seconds, flight, least] = [values.seconds, values.flight, values.requests].map(Number);
  const child = fork(new URL(import.meta.url), ["--serve"], { execArgv: ["--expose-gc"] });
  const { url } = await once<{ url: string }>(child);
  const image = await encodePicture(picture(64, 64, [200, 120, 40]));
  const mask = await encodePicture(picture(64, 64));
  const outcomes: Outcome[] = [];
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 1000;
  const looks: Look[] = [];
  const vitals = () => once<Vitals>(child, "vitals");
  const look = ({ memory, heap, pid, delay }: Vitals): Look => {
    return { server: memory, heap, engine: memoryOf(pid), delay: delay.max };
  };

  async function client(name: string, turn: number): Promise<void> {
    for (let i = turn; elapsed() < seconds || outcomes.length < least; i++) {
      const [kind, send] = request(i, image, mask);
      const from = performance.now();
      const result = await send(url, name).catch((error: Error) => `no answer: ${error.message}`);
      outcomes.push({ client: name, kind, result, seconds: (performance.now() - from) / 1000 });
      // Who is told to come later comes later.
      if (result.startsWith("429")) await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  const looking = Array.from({ length: PARTS - 1 }, (_, part) =>
    setTimeout(async () => looks.push(look(await vitals())), ((part + 1) * seconds * 1000) / PARTS),
  );
  const killing = values.kill ? setInterval(async () => kill((await vitals()).pid), KILL_EVERY_MS) : undefined;
  const names = Array.from({ length: flight }, (_, i) => (i === 0 ? CLIENTS[0] : CLIENTS[1 + (i % 2)]));
  await Promise.all(names.map(client));
  for (const timer of looking) clearTimeout(timer);
  clearInterval(killing);
  const last = await vitals();
  child.send("end");
  const text = report(outcomes, { looks: [...looks, look(last)], last, seconds: elapsed(), flight });
  console.log(text);
  if (values.write)
    await writeSection(values.write, values.kill ? "bench:load-kill" : "bench:load", `${text}\n\n${circumstances()}.`);
}

function kill(pid: number | undefined): void {
  try {
    if (pid) process.kill(pid, "SIGKILL");
  } catch {
    // It is down already and about to start again.
  }
}

type Send = (url: string, key: string) => Promise<string>;

/** The next of the mixed requests, and how to send it. */
function request(i: number, image: Uint8Array, mask: Uint8Array): [kind: string, send: Send] {
  const json = (path: string, body: object): Send => {
    return (url, key) => answerOf(`${url}${path}`, key, JSON.stringify(body), { "content-type": "application/json" });
  };
  const prompt = ["two red cars", "a photo of a dog left of a cat", "three apples on grass"][i % 3];
  const drawing = { prompt, seed: i, steps: 8 };
  switch (i % 5) {
    case 0:
    case 1:
      return ["draw", json("/v1/images/generations", drawing)];
    case 2:
      return ["draw, streamed", json("/v1/images/generations", { ...drawing, stream: true, partial_images: 3 })];
    case 3: {
      const url = `data:image/png;base64,${Buffer.from(image).toString("base64")}`;
      const content = [{ type: "image_url", image_url: { url } }];
      return ["describe", json("/v1/chat/completions", { messages: [{ role: "user", content }], seed: i })];
    }
    default: {
      const form = new FormData();
      form.set("image", new Blob([image as Uint8Array<ArrayBuffer>]), "image.png");
      form.set("mask", new Blob([mask as Uint8Array<ArrayBuffer>]), "mask.png");
      for (const [name, value] of Object.entries(drawing)) form.set(name, `${value}`);
      return ["inpaint", (url, key) => answerOf(`${url}/v1/images/edits`, key, form, {})];
    }
  }
}

/** "ok", or the status and code of what went wrong. */
async function answerOf(url: string, key: string, body: string | FormData, headers: object): Promise<string> {
  const response = await fetch(url, { method: "POST", body, headers: { ...headers, authorization: `Bearer ${key}` } });
  const text = await response.text();
  const error = /"error":\{.*?"code":"(\w+)"/.exec(text)?.[1];
  return error ? `${response.status} ${error}` : response.ok ? "ok" : `${response.status}`;
}

/** Bytes, and the longest delay of the event loop, in ms, since the last look (looking begins a new count). */
interface Look {
  server: number;
  heap: number;
  engine: number;
  delay: number;
}

interface Figures {
  looks: readonly Look[];
  last: Vitals;
  seconds: number;
  flight: number;
}

function report(outcomes: readonly Outcome[], { looks, last, seconds, flight }: Figures): string {
  const count = (by: (one: Outcome) => string) => {
    const counts = new Map<string, number>();
    for (const one of outcomes) counts.set(by(one), (counts.get(by(one)) ?? 0) + 1);
    return [...counts].sort();
  };
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 50e6 ? 1 : 0);
  const waits = CLIENTS.map((client) => {
    const own = outcomes.filter((one) => one.client === client && one.result === "ok").map((one) => one.seconds);
    return [client, own.length, own.length ? median(own).toFixed(2) : "-"];
  });
  const names = { server: "server", heap: "its heap, collected", engine: "engine" } as const;
  const memory = (["server", "heap", "engine"] as const).map((one) => {
    const [warm, end] = [looks[0][one], looks[looks.length - 1][one]];
    return [names[one], ...looks.map((look) => megabytes(look[one])), `${(100 * (end / warm - 1)).toFixed(1)} %`];
  });
  const { p50, p99 } = last.delay;
  const lines = [
    `${outcomes.length} requests in ${seconds.toFixed(0)} s, ${flight} in flight; the engine ended ${last.crashes} times`,
    table(
      ["answer", "requests"],
      count(({ result }) => result),
    ),
    table(
      ["request", "requests"],
      count(({ kind }) => kind),
    ),
    table(["client", "answered", "median seconds"], waits),
    table(["memory, MB", ...looks.map((_, i) => `after ${i + 1}/${looks.length}`), "change since the first"], memory),
    `Event loop of the server, delay in ms: median ${p50.toFixed(1)}, 99 % ${p99.toFixed(1)}; longest of each part: ${looks.map((look) => look.delay.toFixed(0)).join(", ")}.`,
  ];
  return lines.join("\n\n");
}

await (process.argv.includes("--serve") ? serve() : main());
