/**
 * Draws pictures of published sizes with weights made from their names, and prints seconds and memory as JSON: node
 * code-worker.js DRAFTER_DEPTH [REFINER_DEPTH DRAFTED_SCALES] [--pictures N] [--guidance G]. A process of its own, so that
 * its peak memory is that of one case.
 */
import { parseArgs } from "node:util";
import { f32, type NdArray, sizeOf } from "fewstep/base";
import { blank, decodeScales, handOver, likely, seeded, squareScales } from "fewstep/decode";
import { featureMaps, MSVQ_PRESETS, msvqParameters, msvqPrograms, scaleOffsets, tokenCount } from "fewstep/models/msvq";
import { varConfig, varParameters, varPredictor, varPrograms } from "fewstep/models/var";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { pictures: { type: "string", default: "1" }, guidance: { type: "string", default: "1.5" } },
});
const [drafterDepth, refinerDepth, drafted] = positionals.map(Number);
const [pictures, guidance] = [Number(values.pictures), Number(values.guidance)];

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

const stateOf = (shapes: ReadonlyMap<string, readonly number[]>) => {
  const state = new Map([...shapes].map(([name, shape]) => [name, weightOf(name, shape)]));
  return (name: string) => state.get(name);
};

const made = performance.now();
const vae = MSVQ_PRESETS.vae;
const tokenizer = msvqPrograms(vae, stateOf(msvqParameters(vae)), { spinning: false, micro: 1 });
const network = (depth: number) => {
  const config = varConfig(depth);
  return varPrograms(config, stateOf(varParameters(config)), { shared: true, spinning: false });
};
const drafter = network(drafterDepth);
const refiner = refinerDepth ? network(refinerDepth) : undefined;
const sides = vae.sides;
const scales = squareScales(sides);

let cacheBytes = 0;
async function draw(): Promise<{ network: number; pixels: number }> {
  const labels = Array.from({ length: pictures }, (_, i) => (207 + i) % 1000);
  const maps = featureMaps(tokenizer, pictures);
  const request = { labels, maps, guidance };
  const start = performance.now();
  const first = await varPredictor(drafter, { ...request, scales: refiner ? drafted : sides.length });
  const second = refiner && (await varPredictor(refiner, request));
  const limit = scaleOffsets(vae)[drafted || sides.length];
  const model = second ? handOver(first, second, (span) => span.start >= limit) : first;
  const sample = likely({ noise: seeded(1, "sample"), topK: 900, topP: 0.95 });
  let last = blank(pictures, tokenCount(vae));
  for await (const state of decodeScales(model, last, { scales, sample })) {
    last = state.canvas;
    cacheBytes = Math.max(cacheBytes, first.cacheBytes + (second?.cacheBytes ?? 0));
  }
  const map = await maps.after(last, sides.length);
  const drawn = performance.now();
  await tokenizer.decode(map);
  return { network: (drawn - start) / 1000, pixels: (performance.now() - drawn) / 1000 };
}

const ready = performance.now();
const seconds = await draw();
console.log(
  JSON.stringify({
    weightsSeconds: (ready - made) / 1000,
    networkSeconds: seconds.network / pictures,
    pixelSeconds: seconds.pixels / pictures,
    cacheBytes,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
