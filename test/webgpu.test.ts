/** WebGPU in Node, on the software adapter that comes with Chromium: the picture of the processor. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readPicture } from "../src/image/index.ts";

const CHROMIUM = "/usr/lib/chromium";
const adapter = join(CHROMIUM, "vk_swiftshader_icd.json");

test("show-o-mini draws the same picture", { timeout: 600_000 }, async ({ skip }) => {
  skip(!process.env.FEWSTEP_SLOW, "takes a minute; FEWSTEP_SLOW=1 runs it");
  skip(!existsSync(adapter), "needs the Chromium of Debian");
  const env = { ...process.env, LD_LIBRARY_PATH: CHROMIUM, VK_ICD_FILENAMES: adapter, VK_DRIVER_FILES: adapter };
  const folder = mkdtempSync(join(tmpdir(), "fewstep-webgpu-"));
  try {
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const pictures = [];
    for (const device of ["cpu", "webgpu"]) {
      const file = join(folder, `${device}.png`);
      const argv = ["generate", "two red cars", "--device", device, "--seed", "3", "--steps", "2", "--size", "64"];
      await promisify(execFile)(process.execPath, [main, ...argv, "-o", file], { env });
      pictures.push((await readPicture(readFileSync(file))).data);
    }
    const [cpu, webgpu] = pictures;
    // Tokens are the same; the pixel decoder rounds differently.
    const worst = cpu.reduce((most, x, i) => Math.max(most, Math.abs(x - webgpu[i])), 0);
    expect(new Set(cpu).size).toBeGreaterThan(20);
    expect(worst).toBeLessThanOrEqual(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
