/** fewstep serve: the compiled program, asked over HTTP, ended by a signal. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { model, tiny, work } from "../../test/cli.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("it serves until it is told to end, and lets what runs end", { timeout: 120_000 }, async () => {
  const argv = ["serve", "--port", "0", "--model", model, "--threads", "1", "--max-steps", "900"];
  const child = spawn(process.execPath, [main, ...argv], { cwd: work, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const [line] = await once(child.stdout, "data");
  const url = /^listening on (http:\/\/127\.0\.0\.1:\d+) /.exec(`${line}`)?.[1] ?? "";
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  const headers = { "content-type": "application/json" };
  const draw = (body: object) =>
    fetch(`${url}/v1/images/generations`, {
      method: "POST",
      headers,
      body: JSON.stringify({ prompt: "a red car", ...body }),
    });
  expect((await draw({ steps: 901 })).status).toBe(400);
  const asked = draw({ steps: 200, stream: true, partial_images: 4 });
  // Headers come when the request has been accepted.
  const answer = await asked;
  child.kill("SIGTERM");
  expect(await answer.text()).toContain("event: image_generation.completed");
  expect((await once(child, "close"))[0]).toBe(0);
  const lines = log
    .split("\n")
    .filter((one) => one.startsWith("{"))
    .map((one) => JSON.parse(one));
  expect(lines.map(({ event }) => event)).toContain("engine ready");
  expect(lines.find(({ event }) => event === "work")).toMatchObject({ outcome: "done", steps: 200, task: "generate" });
  expect(log).not.toContain("a red car");
});

test("it says what is wrong before it loads anything", async () => {
  expect(await tiny("serve", "--host", "0.0.0.0")).toMatchObject({
    code: 1,
    err: expect.stringContaining("there is no key"),
  });
  expect(await tiny("serve", "--port", "x")).toMatchObject({ code: 2 });
  const twice = await tiny("serve", "--port", "0", "--model", model);
  expect(twice).toMatchObject({ code: 1, err: expect.stringContaining("two models are called tiny") });
});
