/** Which devices ONNX Runtime can compute on here. Trying one may end the process that tries, so another process does. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { loadOrt } from "./ort.ts";
import type { SessionOptions } from "./program.ts";

export type DeviceName = NonNullable<SessionOptions["device"]>;
export const DEVICES: readonly DeviceName[] = ["cpu", "webgpu", "cuda"];

export interface DeviceReport {
  device: DeviceName;
  works: boolean;
  /** Why it does not work. */
  problem?: string;
  /** What would make it work. */
  advice?: string;
}

const PATIENCE_MS = 30_000;

/** Installed version, or nothing when it is not installed. */
export function ortVersion(): string | undefined {
  try {
    const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
    return version;
  } catch {
    return undefined;
  }
}

/** Tries every device with a product of two numbers. */
export async function probeDevices(): Promise<DeviceReport[]> {
  const problem = await loadOrt().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (problem !== undefined)
    return DEVICES.map((device) => ({ device, works: false, problem, advice: "Run npm install onnxruntime-node." }));
  return Promise.all(DEVICES.map(probe));
}

function probe(device: DeviceName): Promise<DeviceReport> {
  const url = new URL(import.meta.url.endsWith(".ts") ? "../../dist/runtime/probe.js" : "./probe.js", import.meta.url);
  const file = fileURLToPath(url);
  if (!existsSync(file))
    return Promise.resolve({ device, works: false, problem: "the compiled probe is missing", advice: "npm run build" });
  return new Promise((resolve) => {
    execFile(process.execPath, [file, device], { timeout: PATIENCE_MS }, (error, out, err) => {
      if (!error && out.trim() === "6") return resolve({ device, works: true });
      const problem = `${err}`.trim().split("\n").at(-1) || error?.message.split("\n")[0] || `it gave ${out.trim()}`;
      resolve({ device, works: false, problem: problem.slice(0, 300), advice: ADVICE[device] });
    });
  });
}

const ADVICE: Record<DeviceName, string> = {
  cpu: "Install onnxruntime-node anew; it needs a 64-bit Linux, macOS or Windows.",
  webgpu:
    "It is part of onnxruntime-node and needs a graphics driver: on Linux a Vulkan one (libvulkan1 and mesa-vulkan-drivers or the vendor's).",
  cuda: "It needs an NVIDIA card, CUDA and cuDNN, and: npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12",
};
