/**
 * A server under load: mixed requests of several clients, so many in flight, for a while. Counts failures by kind, looks
 * at the memory of the server and its engine after warm-up and at the end, at the waits of a client with one request in
 * flight beside one with most of them, and at the delay of the event loop, beside that of a process that does nothing on
 * the same machine. `--kill` ends the engine every 20 seconds, `--write FILE` puts the figures into a page's section
 * bench:load or bench:load-kill.
 */
import { parseArgs } from "node:util";
import { encodePicture, picture } from "fewstep/image";
import { startProcess, type Vitals } from "./load-server.ts";
import { circumstances, median, table, writeSection } from "./report.ts";

const KILL_EVERY_MS = 20_000;
/** Memory is looked at after the warm-up, and after each of so many parts. */
const PARTS = 4;
/** The first client is modest: one request in flight at any time. The others share the rest. */
const CLIENTS = ["modest", "busy", "busier"];

interface Outcome {
  client: string;
  kind: string;
  result: string;
  seconds: number;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      warm: { type: "string", default: "20" },
      flight: { type: "string", default: "16" },
      requests: { type: "string", default: "200" },
      kill: { type: "boolean", default: false },
      write: { type: "string" },
    },
  });
  const [seconds, warm, flight, least] = [values.seconds, values.warm, values.flight, values.requests].map(Number);
  const [server, idle] = [
    await startProcess("server", CLIENTS, values.kill ? KILL_EVERY_MS : 0),
    await startProcess("idle"),
  ];
  const image = await encodePicture(picture(64, 64, [200, 120, 40]));
  const mask = await encodePicture(picture(64, 64));
  const outcomes: Outcome[] = [];
  let ended = false;

  async function client(name: string, turn: number): Promise<void> {
    for (let i = turn; !ended; i++) {
      const [kind, send] = request(i, image, mask);
      const from = performance.now();
      const result = await send(server.url, name).catch((error: Error) => `no answer: ${error.message}`);
      outcomes.push({ client: name, kind, result, seconds: (performance.now() - from) / 1000 });
      // Who is told to come later comes later.
      if (result.startsWith("429")) await pause(1000);
    }
  }
  const names = Array.from({ length: flight }, (_, i) => (i === 0 ? CLIENTS[0] : CLIENTS[1 + (i % 2)]));
  const clients = names.map(client);
  await pause(warm * 1000);
  outcomes.length = 0;
  await idle.ask("begin");
  const looks = [await server.ask("begin")];
  const begun = performance.now();
  for (let part = 1; part < PARTS; part++) {
    await pause((seconds * 1000) / PARTS);
    looks.push(await server.ask("vitals"));
  }
  await pause((seconds * 1000) / PARTS);
  while (outcomes.length < least) await pause(100);
  const took = (performance.now() - begun) / 1000;
  looks.push(await server.ask("finish"));
  const alone = await idle.ask("finish");
  ended = true;
  await Promise.all(clients);
  await Promise.all([server, idle].map((one) => one.ask("close")));
  const text = report(outcomes, { looks, alone, seconds: took, flight });
  console.log(text);
  if (values.write)
    await writeSection(values.write, values.kill ? "bench:load-kill" : "bench:load", `${text}\n\n${circumstances()}.`);
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

interface Figures {
  /** After the warm-up, and after each part. */
  looks: readonly Vitals[];
  /** The process that did nothing. */
  alone: Vitals;
  seconds: number;
  flight: number;
}

function report(outcomes: readonly Outcome[], { looks, alone, seconds, flight }: Figures): string {
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
  const [warm, last] = [looks[0], looks[looks.length - 1]];
  const grown = (of: (one: Vitals) => number) => `${(100 * (of(last) / of(warm) - 1)).toFixed(1)} %`;
  const memory = (name: string, of: (one: Vitals) => number) => [
    name,
    ...looks.map((one) => megabytes(of(one))),
    grown(of),
  ];
  const delays = (name: string, { p50, p99, longest }: Vitals["delay"]) => {
    const most = [...longest].sort((a, b) => b - a);
    return [name, p50.toFixed(1), p99.toFixed(1), ...[0, 1, 2].map((i) => (most[i] ?? 0).toFixed(0)), longest.length];
  };
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
    table(
      ["memory, MB", "after warm-up", ...looks.slice(1).map((_, i) => `after ${i + 1}/${PARTS}`), "change"],
      [memory("server", (one) => one.memory), memory("engine", (one) => one.engine)],
    ),
    `What the server's heap holds after a collection: ${megabytes(warm.heap)} MB after the warm-up, ${megabytes(last.heap)} MB at the end (${grown((one) => one.heap)}).`,
    table(
      ["event loop, delay in ms", "median", "99 %", "longest", "second", "third", "of windows of 5 s"],
      [delays("server", last.delay), delays("a process that does nothing", alone.delay)],
    ),
  ];
  return lines.join("\n\n");
}

await main();
