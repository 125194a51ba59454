/** pull, list, show, rm and doctor, with a hub in this process. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { at, cli } from "../../test/cli.ts";
import { type HubServer, startHub } from "../../test/hub-server.ts";

const TURBO = "SJTU-Deng-Lab/Show-o-Turbo-256";
const bytes = (text: string) => ({ "config.json": Buffer.from("{}"), "pytorch_model.safetensors": Buffer.from(text) });

let server: HubServer;
let env: Record<string, string>;
const before = process.env.FEWSTEP_HOME;
beforeEach(async () => {
  server = await startHub({
    [TURBO]: { files: { ...bytes("transformer"), "README.md": Buffer.from("not needed") } },
    "showlab/magvitv2": { files: bytes("pixels") },
    "microsoft/phi-1_5": {
      files: { "tokenizer.json": Buffer.from("{}"), "model.safetensors": Buffer.from("not needed") },
    },
  });
  env = { HF_HOME: at("hf"), HF_ENDPOINT: server.endpoint, FEWSTEP_HOME: at("home") };
  process.env.FEWSTEP_HOME = at("home");
});
afterEach(async () => {
  if (before === undefined) delete process.env.FEWSTEP_HOME;
  else process.env.FEWSTEP_HOME = before;
  await server.close();
});

test("pull brings the three repositories, only the files that are needed, in any case of the name", async () => {
  const { code, out } = await cli(["pull", "show-o-turbo-256", "--no-convert"], { env });
  expect(code).toBe(0);
  const [showo, magvit, tokenizer] = out.trim().split("\n");
  expect(existsSync(join(showo, "pytorch_model.safetensors"))).toBe(true);
  expect(existsSync(join(showo, "README.md"))).toBe(false);
  expect(magvit).toContain("models--showlab--magvitv2");
  expect(existsSync(join(tokenizer, "tokenizer.json"))).toBe(true);
  expect(server.log.join("\n")).not.toContain("phi-1_5/resolve/0123456789abcdef0123456789abcdef01234567/model");
  const offline = await cli(["pull", TURBO, "--no-convert"], { env: { ...env, HF_HUB_OFFLINE: "1" } });
  expect(offline.out).toBe(out);
});

test("what arrives is checked before it becomes a model", async () => {
  const { code, err } = await cli(["pull", TURBO], { env });
  expect(code).toBe(1);
  expect(err).toMatch(/config\.json/);
  const unknown = await cli(["pull", "some/model"], { env });
  expect(unknown.err).toMatch(/no published model "some\/model".*showlab\/show-o/s);
});

/** A pulled model, as far as list and rm look at it. */
function pulled(name: string): string {
  const folder = join(at("home"), "models", name);
  mkdirSync(join(folder, "onnx"), { recursive: true });
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(join(folder, "onnx/body_q4.onnx"), "x".repeat(100));
  return folder;
}

test("list says what is here and what can be pulled", async () => {
  pulled(TURBO);
  const { out } = await cli(["list"], { env });
  expect(out).toMatch(/^show-o-mini .*package$/m);
  expect(out).toMatch(/^SJTU-Deng-Lab\/Show-o-Turbo-256 +0\.000 GB {2}pulled {2}q4$/m);
  expect(out).toMatch(/^showlab\/show-o +to pull: .*256 pixels$/m);
  const { models } = JSON.parse((await cli(["list", "--json"], { env })).out);
  expect(models.at(-1)).toMatchObject({ name: TURBO, dtypes: ["q4"], bytes: 102 });
});

test("rm removes the model, and with --downloads what no other model needs", async () => {
  await cli(["pull", TURBO, "--no-convert"], { env });
  const folder = pulled(TURBO);
  pulled("showlab/show-o");
  expect((await cli(["rm", TURBO, "--downloads"], { env })).out).toMatch(/^removed SJTU-Deng-Lab/);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(join(at("hf"), "hub/models--SJTU-Deng-Lab--Show-o-Turbo-256"))).toBe(false);
  expect(existsSync(join(at("hf"), "hub/models--showlab--magvitv2"))).toBe(true);
  expect((await cli(["rm", TURBO], { env })).err).toMatch(/no pulled model.*showlab\/show-o/s);
  expect((await cli(["rm", ".."], { env })).code).toBe(1);
  expect(existsSync(at("home"))).toBe(true);
});

test("show tells parts and licence of a published model, sizes of one that is here", async () => {
  const { out } = await cli(["show", "show-o"], { env });
  expect(out).toMatch(/made of showlab\/show-o, showlab\/magvitv2, microsoft\/phi-1_5/);
  expect(out).toMatch(/licence: Apache-2\.0.*not here; pull it first/s);
  expect((await cli(["show", "show-o-mini"], { env })).out).toMatch(/tokens; 6 layers, 256 wide/);
  expect((await cli(["show", "nothing"], { env })).code).toBe(1);
});

test("a published model that is not here is named with the command that brings it", async () => {
  const { code, err } = await cli(["describe", "x.png", "--model", TURBO], { env });
  expect(code).toBe(1);
  expect(err).toMatch(/no such file|fewstep pull/);
});

test("doctor reports devices, memory and the hub", async () => {
  const { out } = await cli(["doctor"], { env });
  expect(out).toMatch(/^ {2}cpu +works$/m);
  expect(out).toMatch(/^memory +[\d.]+ GB available/m);
  expect(out).toContain(server.endpoint);
  expect(out).toMatch(/^ {2}webgpu +(works|does not work: .+\n +It is part of onnxruntime-node)/m);
  expect(out).toMatch(/^full size +q4 (fits|needs)/m);
});
