/**
 * Draws pictures of published sizes with made-up weights when asked: node code-worker.js fp32|q8 FOLDER. It reads one JSON
 * request a line, {"depths": [30, 16], "drafted": 8, "guidance": 1.5}, and answers {"ms", "rss", "cacheBytes"}; without
 * "drafted" the first network draws alone, with "pixels" it also answers "pixelMs". Converted networks are kept in FOLDER.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { f32, type NdArray, sizeOf } from "fewstep/base";
import { packNetwork } from "fewstep/convert";
import { blank, decodeScales, handOver, likely, seeded, squareScales } from "fewstep/decode";
import { featureMaps, MSVQ_PRESETS, msvqParameters, msvqPrograms, scaleOffsets, tokenCount } from "fewstep/models/msvq";
import {
  packedVarFile,
  packedVarPrograms,
  type VarPrograms,
  varConfig,
  varParameters,
  varPredictor,
  varPrograms,
} from "fewstep/models/var";
import { createHost } from "fewstep/runtime";

const [dtype, folder] = process.argv.slice(2);

/** Numbers that look random, the same for a name in every run; spread by fan-in, so that activations stay in range. */
function weightOf(name: string, shape: readonly number[]): NdArray<"float32"> {
  const out = f32(shape);
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(name)) state = Math.imul(state ^ byte, 0x01000193);
  const scale = shape.length < 2 ? 0.1 : Math.sqrt(3 / sizeOf(shape.slice(1)));
  const centre = shape.length === 1 && name.includes("norm") && name.endsWith("weight") ? 1 : 0;
  for (let i = 0; i < out.data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    out.data[i] = centre + scale * (state / 2 ** 31);
  }
  return out;
}

const host = createHost({ host: "inline", spinning: false });
const vae = MSVQ_PRESETS.vae;
const shapes = msvqParameters(vae);
const tokenizer = msvqPrograms(vae, (name) => weightOf(name, shapes.get(name)!), { host, micro: 1 });
const networks = new Map<number, Promise<VarPrograms>>();

async function open(depth: number): Promise<VarPrograms> {
  const config = varConfig(depth);
  const parameters = varParameters(config);
  if (dtype === "fp32") {
    const state = new Map([...parameters].map(([name, shape]) => [name, weightOf(name, shape)]));
    return varPrograms(config, (name) => state.get(name), { host, shared: true });
  }
  const body = join(folder, `d${depth}.onnx`);
  mkdirSync(folder, { recursive: true });
  // The file of the last part is there only when all are.
  if (!existsSync(packedVarFile(body, "embed")))
    await packNetwork(config, (name) => weightOf(name, parameters.get(name)!), body);
  return packedVarPrograms(config, (part) => host.compile(packedVarFile(body, part)));
}

const network = (depth: number): Promise<VarPrograms> => {
  const known = networks.get(depth) ?? open(depth);
  networks.set(depth, known);
  return known;
};

const { sides } = vae;
const scales = squareScales(sides);

interface Request {
  depths: [drafter: number, refiner?: number];
  drafted?: number;
  guidance: number;
  pixels?: boolean;
}

async function draw({ depths: [large, small], drafted, guidance, pixels }: Request) {
  const [drafter, refiner] = [await network(large), drafted ? await network(small!) : undefined];
  const maps = featureMaps(tokenizer, 1);
  const request = { labels: [207], maps, guidance };
  const start = performance.now();
  const first = await varPredictor(drafter, { ...request, scales: drafted ?? sides.length });
  const second = refiner && (await varPredictor(refiner, request));
  const limit = scaleOffsets(vae)[drafted ?? sides.length];
  const model = second ? handOver(first, second, (span) => span.start >= limit) : first;
  const sample = likely({ noise: seeded(1, "sample"), topK: 900, topP: 0.95 });
  let last = blank(1, tokenCount(vae));
  let cacheBytes = 0;
  for await (const state of decodeScales(model, last, { scales, sample })) {
    last = state.canvas;
    cacheBytes = Math.max(cacheBytes, first.cacheBytes + (second?.cacheBytes ?? 0));
  }
  const drawn = performance.now();
  if (pixels) await tokenizer.decode(await maps.after(last, sides.length));
  return { ms: drawn - start, cacheBytes, ...(pixels && { pixelMs: performance.now() - drawn }) };
}

console.log(JSON.stringify({ ready: performance.now() / 1000 }));
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ ...(await draw(JSON.parse(line))), rss: process.resourceUsage().maxRSS * 1024 }));
