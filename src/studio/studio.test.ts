/** The files of the page, the runs beside it, and who may ask for them. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { saveTinyModel } from "../../test/tiny-model.ts";
import { createSite, listRuns, readRun, startStudio } from "./index.ts";

const made = mkdtempSync(join(tmpdir(), "fewstep-site-"));
afterAll(() => rmSync(made, { recursive: true }));

const page = join(made, "page");
const runs = join(made, "runs");
function write(path: string, text: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}
write(join(page, "index.html"), "<p>studio</p>");
write(join(page, "assets/app-1.js"), "run()");
write(join(made, "secret.txt"), "secret");
write(join(made, "secret/metrics.jsonl"), '{"step":1}\n');
write(join(runs, "old/metrics.jsonl"), '{"step":1,"loss":2}\n{"step":2,"loss":1.5}\n{"step":3,"lo');
write(join(runs, "old/samples/step-2/pictures.png"), "png");
write(join(runs, "old/samples/notes.txt"), "text");
write(join(runs, "new/metrics.jsonl"), '{"step":1}\nnot json\n{"step":2}\n');
write(join(runs, "no run/config.json"), "{}");
utimesSync(join(runs, "old/metrics.jsonl"), 1000, 1000);

const site = await createSite({ page, runs });
const get = (path: string, init?: RequestInit) => site.fetch(new Request(`http://127.0.0.1${path}`, init));

test("files of the page come with their type, isolated, and only they", async () => {
  const index = await get("/");
  expect(await index?.text()).toBe("<p>studio</p>");
  expect(index?.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(index?.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  expect(index?.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
  const app = await get("/assets/app-1.js");
  expect([await app?.text(), app?.headers.get("cache-control")]).toEqual([
    "run()",
    "public, max-age=31536000, immutable",
  ]);
  const tricks = [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "//secret.txt",
    "/assets",
    "/v1/models",
  ];
  for (const path of tricks) expect(await get(path), path).toBeUndefined();
  expect(await get("/", { method: "POST" })).toBeUndefined();
  await expect(createSite({ page: runs, runs })).rejects.toThrow(/the studio is not built/);
});

test("runs are listed, the one that changed last first, and read from a line on", async () => {
  expect((await listRuns(runs)).map(({ name }) => name)).toEqual(["new", "old"]);
  expect((await listRuns(join(runs, "old"))).map(({ name }) => name)).toEqual(["old"]);
  expect(await listRuns(join(made, "nowhere"))).toEqual([]);
  const old = {
    entries: [
      { step: 1, loss: 2 },
      { step: 2, loss: 1.5 },
    ],
    lines: 2,
    samples: ["step-2/pictures.png"],
  };
  expect(await readRun(join(runs, "old"))).toEqual(old);
  expect(await (await get("/studio/runs/old?after=1"))?.json()).toEqual({ ...old, entries: old.entries.slice(1) });
  expect(await (await get("/studio/runs/new?after=x"))?.json()).toEqual({
    entries: [{ step: 1 }, { step: 2 }],
    lines: 3,
    samples: [],
  });
  const listed = await (await get("/studio/runs"))?.json();
  expect(listed?.runs[1]).toEqual({ name: "old", changed: 1_000_000 });
});

test("nothing outside the runs is handed out", async () => {
  const png = await get("/studio/runs/old/samples/step-2/pictures.png");
  expect([png?.status, png?.headers.get("content-type"), await png?.text()]).toEqual([200, "image/png", "png"]);
  for (const name of ["..%2Fsecret", "no%20run", "old%00", "%2e%2e%2fsecret", "..%5csecret"])
    expect((await get(`/studio/runs/${name}`))?.status, name).toBe(404);
  for (const sample of ["notes.txt", "..%2F..%2Fnew%2Fmetrics.jsonl", "step-2%2F..%2F..%2Fmetrics.jsonl"])
    expect((await get(`/studio/runs/old/samples/${sample}`))?.status, sample).toBe(404);
});

test("pages of other names are refused the runs too; a taken port says so", async () => {
  await saveTinyModel(join(made, "tiny"));
  const studio = await startStudio({ port: 0, page, runs, models: [join(made, "tiny")], threads: 1 });
  try {
    const { port } = new URL(studio.url);
    const statusFor = (host: string, path: string) =>
      new Promise<number | undefined>((resolve, reject) =>
        request({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end(),
      );
    expect(await statusFor("localhost", "/studio/runs")).toBe(200);
    expect(await statusFor("evil.example", "/studio/runs")).toBe(403);
    expect(await statusFor("evil.example", "/")).toBe(403);
    expect(await statusFor("127.0.0.1", "/v1/models")).toBe(200);
    expect(await statusFor("127.0.0.1", "/nothing")).toBe(404);
    await expect(startStudio({ port: Number(port), page, runs })).rejects.toThrow(/the port is taken/);
  } finally {
    await studio.close();
  }
});
