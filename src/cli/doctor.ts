/** fewstep doctor [MODEL]: what is here, what is missing, how to get it, what fits; measures a converted model. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { type Command, Option } from "commander";
import { fail } from "../base/index.ts";
import { freeBytes, gigabytes, hubFrom } from "../files/index.ts";
import {
  availableMemory,
  breakEven,
  chooseDTypes,
  type DTypeChoice,
  home,
  measurePlan,
  modelFolder,
  type Plan,
  packedDTypes,
  readModelConfig,
  WINDOWS,
} from "../models/index.ts";
import { type DeviceReport, ortVersion, probeDevices } from "../runtime/index.ts";
import { type Io, printable } from "./shell/io.ts";
import { number } from "./shell/options.ts";
import { progressBar } from "./shell/progress.ts";

interface Options {
  dtype: DTypeChoice;
  threads?: number;
  json?: boolean;
}

/** Gigabytes that a published model of 256 pixels takes while it draws, by what it was converted to. */
const NEEDS = { q4: 1.9e9, q8: 2.6e9, mixed: 3.4e9, fp32: 7.2e9 } as const;

export function doctor(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("say what this machine can run and what is missing; measure a converted model")
    .argument("[model]", "converted model to measure, so that its text is decoded in the fastest way")
    .addOption(
      new Option("--dtype <dtype>", "weights to measure")
        .choices(["auto", "mixed", "q8", "q4", "fp32", "fp16"])
        .default("auto"),
    )
    .option("--threads <count>", "threads (default: all cores)", number)
    .option("--json", "print one JSON object instead of text")
    .action(async (model: string | undefined, { json, ...options }: Options) => {
      const report = {
        ...(await machine(io)),
        ...(model !== undefined && { plan: await measure(model, options, io) }),
      };
      await io.out(json ? `${JSON.stringify(report)}\n` : `${printable(linesOf(report).join("\n"))}\n`);
    });
}

async function machine(io: Io) {
  const { endpoint, cache, token, offline } = hubFrom(io.env);
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    extensions: extensions(),
    memory: { total: totalmem(), available: availableMemory() },
    home: { folder: home(io.env), free: await freeBytes(home(io.env)) },
    hub: { endpoint, cache, free: await freeBytes(cache), token: token !== undefined, offline },
    onnxruntime: ortVersion(),
    devices: await probeDevices(),
    sharp: await hasSharp(),
  };
}

/** Instructions of the processor that make products of 8 bits fast. */
function extensions(): string[] {
  const known = ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8"];
  try {
    const flags = /^flags.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[0].split(/\s+/) ?? [];
    return known.filter((flag) => flags.includes(flag));
  } catch {
    return [];
  }
}

const hasSharp = (): Promise<boolean> =>
  import("sharp").then(
    () => true,
    () => false,
  );

async function measure(name: string, { dtype, threads }: Options, io: Io): Promise<Plan> {
  const folder = modelFolder(name);
  if (packedDTypes(folder).length === 0)
    fail("only a converted model is measured", { where: folder, hint: "Convert it: fewstep convert." });
  const bar = progressBar(io, "measuring");
  try {
    const dtypes = chooseDTypes(folder, await readModelConfig(folder), dtype);
    const onProgress = (done: number, total: number) => bar.show(done, total);
    return await measurePlan(folder, dtypes, { threads, host: io.host, signal: io.signal, onProgress });
  } finally {
    bar.clear();
  }
}

type Report = Awaited<ReturnType<typeof machine>> & { plan?: Plan };

function linesOf({ plan, ...report }: Report): string[] {
  const { memory, home, hub } = report;
  const free = (bytes: number | undefined) => (bytes === undefined ? "" : `, ${gigabytes(bytes)} free`);
  const fits = Object.entries(NEEDS).map(
    ([dtype, bytes]) => `${dtype} ${bytes <= memory.available ? "fits" : `needs ${gigabytes(bytes)}`}`,
  );
  return [
    `node          ${report.node}, ${report.platform}`,
    `processor     ${report.processor}, ${report.cores} cores${report.extensions.length ? `, ${report.extensions.join(" ")}` : ""}`,
    ...(report.extensions.includes("avx2") && !report.extensions.some((name) => /vnni|amx/.test(name))
      ? ["              no VNNI: products of 8 bits are little faster than float32"]
      : []),
    `memory        ${gigabytes(memory.available)} available of ${gigabytes(memory.total)}`,
    `full size     ${fits.join(", ")} (256 pixels)`,
    `models        ${home.folder}${free(home.free)}`,
    `downloads     ${hub.cache}${free(hub.free)}`,
    `hub           ${hub.endpoint}${hub.offline ? ", offline" : ""}${hub.token ? ", with a token" : ""}`,
    `onnxruntime   ${report.onnxruntime ?? "missing; run npm install onnxruntime-node"}`,
    ...report.devices.flatMap(deviceLines),
    `pictures      ${report.sharp ? "sharp is there" : "sharp is missing; run npm install sharp"}`,
    ...(plan ? planLines(plan) : []),
  ];
}

const deviceLines = ({ device, works, problem, advice }: DeviceReport): string[] => [
  `  ${device.padEnd(12)}${works ? "works" : `does not work: ${problem}`}`,
  ...(works || !advice ? [] : [`              ${advice}`]),
];

function planLines({ fewRows, textBlock, costs }: Plan): string[] {
  const rows = Object.entries(costs).map(([dtype, of]) => {
    const each = WINDOWS.map((w) => `${w}: ${of[w].toFixed(0)} ms (pays from ${breakEven(of, w).toFixed(1)})`);
    return `  ${dtype}  ${each.join(", ")}`;
  });
  const chosen = textBlock === 1 ? "one token at a time" : `${textBlock} tokens at once`;
  return [
    "tokens a pass, its time, and the settled tokens from which it pays",
    ...rows,
    `text          ${chosen}; passes of up to ${fewRows} tokens on the smaller weights`,
  ];
}
