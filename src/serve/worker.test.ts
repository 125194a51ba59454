/** Requests on their way through queue, batches and the process of a model: jobs, crashes, cancelling, limits. */
import { expect, test } from "vitest";
import { PATIENT, tinyServer } from "../../test/server.ts";
import { Job, JobEvent } from "./protocol.ts";

const tiny = tinyServer({ limits: { queue: 8, steps: 1000, patience: 3 } });
const lastPid = () => Number(tiny.log.findLast(({ event }) => event === "engine ready")?.pid);
const running = () => tiny.metric("fewstep_running");
const LONG = { task: "generate", prompt: "a red car", steps: 1000, seed: 1 };

const start = async (body: object): Promise<Job> => Job.parse((await tiny.post("/api/jobs", body)).json);
const show = async ({ poll_url }: Job): Promise<Job> => Job.parse(await (await fetch(tiny.url + poll_url)).json());
const cancel = (job: Job) => tiny.post(`${job.poll_url}/cancel`, {});

/** The events of a job to its end, or until `enough`. */
async function events(
  job: Job,
  after = 0,
  enough = (_: JobEvent) => false,
): Promise<{ id: number; event: JobEvent }[]> {
  const controller = new AbortController();
  const headers = { "last-event-id": `${after}` };
  const response = await fetch(tiny.url + job.events_url, { headers, signal: controller.signal });
  const found: { id: number; event: JobEvent }[] = [];
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const parts = (text + new TextDecoder().decode(chunk)).split("\n\n");
    text = parts.pop()!;
    for (const part of parts) {
      const [, name, id, data] = /^event: (.*)\nid: (.*)\ndata: (.*)$/.exec(part)!;
      const event = JobEvent.parse(JSON.parse(data));
      expect(event.type).toBe(name);
      found.push({ id: Number(id), event });
      if (enough(event)) return found;
    }
  }
  return found;
}

test("a job tells its steps with cells and previews, and can be watched again from any event", async () => {
  const job = await start({ task: "generate", prompt: "a red car", seed: 3, steps: 4, preview: 2, cells: true });
  expect(job).toMatchObject({ task: "generate", model: "tiny" });
  const all = await events(job);
  expect(all.map(({ id }) => id)).toEqual(all.map((_, i) => i + 1));
  const types = all.map(({ event }) => event.type).join(" ");
  expect(types).toBe("queued started step partial step step partial step done");
  const steps = all.flatMap(({ event }) => (event.type === "step" ? [event] : []));
  const open = steps.map(({ images }) => images?.[0].mask.filter(Boolean).length ?? -1);
  expect(open).toEqual(open.toSorted((a, b) => b - a));
  expect(open.at(-1)).toBe(0);
  // A cell that is closed has its last token.
  const final = steps.at(-1)?.images?.[0].tokens;
  for (const { images } of steps)
    for (const [i, token] of images?.[0].tokens.entries() ?? [])
      if (!images?.[0].mask[i]) expect(token).toBe(final?.[i]);
  expect(steps[0]).toMatchObject({ index: 1, total: 4, grid: { height: 4, width: 4 } });
  expect(steps[0].images?.[0].tokens).toHaveLength(16);
  expect(await events(job, 6)).toEqual(all.slice(6));
  const last = all.at(-1)?.event;
  const shown = await show(job);
  expect(shown.status).toBe("done");
  expect(last?.type === "done" && last.result).toEqual(shown.result);
});

test("jobs inpaint, extend and describe", async () => {
  const drawn = await start({ task: "generate", prompt: "a red car", seed: 1, size: "32x32" });
  await events(drawn);
  const { result } = await show(drawn);
  const image = `data:image/png;base64,${result?.kind === "images" ? result.images[0].b64_json : ""}`;
  const wide = await start({ task: "extend", image, right: 16, seed: 1 });
  await events(wide);
  expect((await show(wide)).result).toMatchObject({
    images: [{ width: 384, height: 256, fewstep: { task: "extend" } }],
  });
  const asked = await start({ task: "describe", image, question: "is there a dog?", seed: 1, max_tokens: 9 });
  const said = (await events(asked)).flatMap(({ event }) => (event.type === "text" ? [event] : []));
  const answer = (await show(asked)).result;
  expect(answer).toMatchObject({ kind: "text", question: "is there a dog?", tokens: said.at(-1)?.tokens });
  expect(answer?.kind === "text" && answer.text).toBe(said.map(({ delta }) => delta).join(""));
  const none = await start({ task: "inpaint", image, prompt: "x" });
  await events(none);
  expect((await show(none)).error).toMatchObject({ code: "invalid_value", param: "mask" });
});

test("cancelling ends a running job before its next step and a waiting one at once", async () => {
  const [first, second] = [await start(LONG), await start({ ...LONG, task: "generate", guidance_scale: 0 })];
  await events(first, 0, ({ type }) => type === "step");
  expect(await show(second)).toMatchObject({ status: "queued", queue_position: 0 });
  await cancel(second);
  expect((await events(second)).map(({ event }) => event.type)).toEqual(["queued", "cancelled"]);
  await cancel(first);
  const seen = await events(first);
  expect(seen.at(-1)?.event.type).toBe("cancelled");
  await expect.poll(running, PATIENT).toBe(0);
  expect(seen.length).toBeLessThan(500);
  expect(await show(first)).toMatchObject({ status: "cancelled" });
});

test("requests with the same settings share a batch and get what they would get alone", async () => {
  const ask = (seed: number) => tiny.post("/v1/images/generations", { prompt: "two blue cars", seed, steps: 3 });
  const pictures = async (answers: Promise<{ json: never }>[]) =>
    (await Promise.all(answers)).map(({ json }) => (json as { data: { b64_json: string }[] }).data[0].b64_json);
  const alone = await pictures([ask(11)]);
  const other = await pictures([ask(12)]);
  const blocker = await start(LONG);
  await events(blocker, 0, ({ type }) => type === "step");
  const before = await tiny.metric("fewstep_batch_requests_count");
  const waiting = [ask(11), ask(12)];
  await expect.poll(() => tiny.metric("fewstep_queue_waiting"), PATIENT).toBe(2);
  await cancel(blocker);
  expect(await pictures(waiting)).toEqual([...alone, ...other]);
  expect((await tiny.metric("fewstep_batch_requests_count")) - before).toBe(1);
});

test("a full queue says when to come again; a client has half of it", async () => {
  const blocker = await start(LONG);
  await events(blocker, 0, ({ type }) => type === "step");
  const jobs = [1, 2, 3, 4].map(() => start(LONG));
  const waiting = await Promise.all(jobs);
  const refused = await fetch(`${tiny.url}/api/jobs`, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(LONG) },
  });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await refused.json()).toMatchObject({ error: { code: "rate_limit_exceeded", type: "rate_limit_error" } });
  for (const job of [blocker, ...waiting]) await cancel(job);
  await expect.poll(running, PATIENT).toBe(0);
});

test("a killed process loses its running requests alone, and starts again", async () => {
  const lost = await start(LONG);
  await events(lost, 0, ({ type }) => type === "step");
  const kept = await start({ ...LONG, steps: 2, guidance_scale: 0 });
  process.kill(lastPid(), "SIGKILL");
  const [last] = (await events(lost)).slice(-1);
  expect(last.event).toMatchObject({ type: "error", error: { code: "engine_crashed", type: "server_error" } });
  expect((await events(kept)).at(-1)?.event.type).toBe("done");
  expect(await tiny.metric("fewstep_engine_crashes_total")).toBe(1);
});

test("a process that does not obey a cancellation is killed, and starts again", async () => {
  const job = await start(LONG);
  await events(job, 0, ({ type }) => type === "step");
  const pid = lastPid();
  process.kill(pid, "SIGSTOP");
  await cancel(job);
  expect((await events(job)).at(-1)?.event.type).toBe("cancelled");
  expect((await tiny.post("/v1/images/generations", { prompt: "a red car", steps: 1 })).status).toBe(200);
  expect(lastPid()).not.toBe(pid);
  expect(alive(pid)).toBe(false);
});

test("unloading ends the process, but not its work; the next request starts another", async () => {
  const before = lastPid();
  const job = await start(LONG);
  await events(job, 0, ({ type }) => type === "step");
  expect((await tiny.post("/api/models/tiny/unload", {})).status).toBe(409);
  await cancel(job);
  // At once: the process may not have heard yet that nobody wants that work.
  expect((await tiny.post("/api/models/tiny/unload", {})).status).toBe(200);
  expect((await fetch(`${tiny.url}/ready`)).status).toBe(503);
  await expect.poll(() => alive(before), PATIENT).toBe(false);
  expect((await tiny.post("/v1/images/generations", { prompt: "a red car", steps: 1 })).status).toBe(200);
  expect(lastPid()).not.toBe(before);
  expect((await fetch(`${tiny.url}/ready`)).status).toBe(200);
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a client that leaves without a stream stops its work too", async () => {
  const controller = new AbortController();
  const body = JSON.stringify({ prompt: "a red car", steps: 1000, seed: 1 });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body, signal: controller.signal };
  const asked = fetch(`${tiny.url}/v1/images/generations`, init).catch((error) => error.name);
  await expect.poll(running, PATIENT).toBe(1);
  controller.abort();
  expect(await asked).toBe("AbortError");
  await expect.poll(running, PATIENT).toBe(0);
  expect(tiny.log.findLast(({ event }) => event === "work")).toMatchObject({ outcome: "cancelled" });
});

test("closing lets running work end, takes nothing new, and leaves no process", async () => {
  const pid = lastPid();
  const job = await start({ ...LONG, steps: 300 });
  const watched = events(job);
  await events(job, 0, ({ type }) => type === "step");
  const closed = tiny.server.close(60);
  expect((await watched).at(-1)?.event.type).toBe("done");
  await closed;
  await expect.poll(() => alive(pid), PATIENT).toBe(false);
  await expect(fetch(`${tiny.url}/health`)).rejects.toThrow();
});
