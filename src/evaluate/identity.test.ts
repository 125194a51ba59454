import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelHash } from "./identity.ts";

test("the hash follows names and contents of settings and weights, not the card", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fewstep-hash-"));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write("config.json", "{}");
  write("showo.safetensors", "weights");
  const hash = await modelHash(folder);
  expect(hash).toMatch(/^[0-9a-f]{16}$/);
  write("README.md", "a card");
  write("figures.json", "{}");
  expect(await modelHash(folder)).toBe(hash);
  write("showo.safetensors", "weightz");
  expect(await modelHash(folder)).not.toBe(hash);
  write("showo.safetensors", "weights");
  write("magvit.safetensors", "");
  expect(await modelHash(folder)).not.toBe(hash);
  rmSync(folder, { recursive: true });
});
