/** The compiled program as people run it: a process of its own, computing in a thread of its own. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { at, files, model, tiny, work } from "../../test/cli.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Runs it in the working folder. */
function child(argv: string[], stdout: "pipe" | number = "pipe") {
  const process_ = spawn(process.execPath, [main, ...argv], { cwd: work, stdio: ["ignore", stdout, "pipe"] });
  let [out, err] = ["", ""];
  process_.stdout?.on("data", (data) => (out += data));
  process_.stderr?.on("data", (data) => (err += data));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    process_.on("close", (code) => resolve({ code, out, err })),
  );
}

test("the program itself: paths, exit codes, a full pipe", { timeout: 180_000 }, async () => {
  const options = ["--model", model, "--threads", "1"];
  const drawn = await child(["a red car", "--seed", "3", ...options]);
  expect(drawn).toEqual({ code: 0, out: `${at("a-red-car.png")}\n`, err: "" });
  // The thread of its own gives the bytes that this one gives.
  await tiny("a red car", "--seed", "3", "-o", at("here.png"));
  expect(readFileSync(at("here.png")).equals(readFileSync(at("a-red-car.png")))).toBe(true);
  expect(await child(["generate", "a", "--steps", "0", ...options])).toMatchObject({ code: 1, out: "" });
  expect((await child(["generate"])).code).toBe(2);
  const full = openSync("/dev/full", "w");
  const piped = await child(["generate", "a", "-o", "-", ...options], full);
  closeSync(full);
  expect(piped).toMatchObject({ code: 1, err: expect.stringContaining("the disk is full") });
  expect(files()).toEqual(["a-red-car.png", "here.png"]);
});

test("an interrupted process leaves nothing half-written", { timeout: 180_000 }, async () => {
  const argv = ["start", "a zebra", "--steps", "1000", "-n", "50", "--model", model, "--threads", "1"];
  const started = spawn(process.execPath, [main, ...argv], { cwd: work, stdio: ["ignore", "pipe", "ignore"] });
  // It says so when it begins to draw.
  await new Promise((resolve) => started.stdout.once("data", resolve));
  started.kill("SIGINT");
  const code = await new Promise((resolve) => started.on("close", resolve));
  expect(code).toBe(130);
  expect(readdirSync(at("out"))).toEqual([]);
});
