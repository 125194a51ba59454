/** Runs graphs on ONNX Runtime, in this thread or in a worker. */
import { createHost } from "./host.ts";
import type { CompileOptions, HostKind, Model, Program } from "./program.ts";

export { DEVICES, type DeviceName, type DeviceReport, ortVersion, probeDevices } from "./devices.ts";
export type { Place, Places } from "./held.ts";
export { createHost } from "./host.ts";
export { openSession } from "./inline.ts";
export { loadOrt, type Ort, useOrt } from "./ort.ts";
export * from "./program.ts";
export { type Programs, programsOn } from "./programs.ts";

/** One program with a host of its own, which ends with it. */
export async function compile(
  model: Model,
  { host: kind = "inline", ...options }: CompileOptions & { host?: HostKind } = {},
): Promise<Program> {
  const host = createHost({ host: kind });
  try {
    const program = await host.compile(model, options);
    return { ...program, dispose: () => host.dispose() };
  } catch (error) {
    await host.dispose();
    throw error;
  }
}
