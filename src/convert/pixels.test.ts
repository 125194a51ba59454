/** The pixel decoder on 8 bits: close where it is kept, gone where it is not. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, i64, type NdArray, Rng, sizeOf } from "../base/index.ts";
import { readWeights, writeAtomic, writeSafetensors } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import { magvitParameters } from "../models/index.ts";
import { buildDecoder, buildEncoder, type MagvitConfig } from "../models/magvit/index.ts";
import { writeOnnx } from "../onnx/index.ts";
import { compile } from "../runtime/index.ts";
import { openDataFile } from "./data-file.ts";
import { quantizeDecoder } from "./pixels.ts";

const root = mkdtempSync(join(tmpdir(), "fewstep-pixels-"));
afterAll(() => rmSync(root, { recursive: true }));

const half = { ch: 16, chMult: [1, 2], numResBlocks: [1, 1], groups: 4, attention: true };
const config: MagvitConfig = { model: "magvit", resolution: 16, bits: 6, encoder: half, decoder: half, normEps: 1e-6 };

/** Rounds a decoder of random weights, changed by `change`, in a folder of its own. */
async function rounded(name: string, change: (state: Record<string, NdArray<"float32">>) => void) {
  const folder = join(root, name);
  const rng = new Rng(2);
  const state = Object.fromEntries(
    [...magvitParameters(config)].map(([name, shape]) => {
      const spread = shape.length === 1 ? 0.05 : Math.sqrt(shape[0] / sizeOf(shape));
      const centre = /norm\w*\.weight$/.test(name) ? 1 : 0;
      return [
        name,
        f32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => centre + spread * rng.normal()),
        ),
      ];
    }),
  );
  state["decoder.conv_out.weight"].data.forEach((x, i, all) => void (all[i] = x / 4));
  change(state);
  mkdirSync(join(folder, "onnx"), { recursive: true });
  await writeSafetensors(join(folder, "weights.safetensors"), state);
  const weights = readWeights(join(folder, "weights.safetensors"));
  const write = async (stem: string, build: (g: Graph) => void) => {
    const graph = new Graph();
    build(graph);
    const file = await openDataFile(join(folder, "onnx"), stem);
    for (const name of graph.params.keys()) await file.add(name, [weights.float32(name)]);
    const { places } = await file.sync();
    await file.close();
    await writeAtomic(join(folder, "onnx", `${stem}.onnx`), writeOnnx(graph, { weights: (name) => places[name] }));
    return places;
  };
  await write("vq_encoder", (g) => buildEncoder(config, g, 16, 16));
  const places = await write("vq_decoder", (g) => buildDecoder(config, g, 8, 8));
  const report = await quantizeDecoder(config, weights, folder, places, 1);
  weights.close();
  return { report, folder };
}

test("measured ranges and rounded weights keep the picture", async () => {
  const { report, folder } = await rounded("even", () => {});
  expect(report.rounded).toBe(14);
  expect(report.rounded).toBeLessThan(report.convolutions);
  expect(report.psnr).toBeGreaterThan(30);
  expect(report.psnr).toBeLessThan(80); // it is rounded
  expect(report.kept).toBe(report.psnr >= 40);
  const path = join(folder, "onnx/vq_decoder_quantized.onnx");
  expect(existsSync(path)).toBe(report.kept);
  expect(existsSync(join(folder, "onnx/vq_decoder_probe.onnx"))).toBe(false);
  if (!report.kept) return;
  const rng = new Rng(3);
  const ids = i64(
    [1, 64],
    Array.from({ length: 64 }, () => rng.int(64)),
  );
  const [small, plain] = [await compile(path), await compile(join(folder, "onnx/vq_decoder.onnx"))];
  const [a, b] = [await small.run({ ids }), await plain.run({ ids })];
  const worst = Math.max(...(a.out.data as Float32Array).map((x, i) => Math.abs(x - Number(b.out.data[i]))));
  expect(worst).toBeLessThan(0.3);
});

test("a block that bears no rounding stays as it is, and the others do not", async () => {
  // One loud channel that counts no more than the others: steps of its size leave nothing of those.
  const { report, folder } = await rounded("loud", (state) => {
    const [norm, conv] = ["norm2", "conv2"].map((name) => state[`decoder.up.0.block.0.${name}.weight`]);
    norm.data[0] *= 300;
    const [outs, ins, h, w] = conv.shape;
    for (let o = 0; o < outs; o++) for (let i = 0; i < h * w; i++) conv.data[o * ins * h * w + i] /= 300;
  });
  expect(report.kept).toBe(true);
  expect(report.psnr).toBeGreaterThanOrEqual(40);
  expect(report.rounded).toBeGreaterThan(0);
  expect(report.rounded).toBeLessThan(14);
  expect(existsSync(join(folder, "onnx/vq_decoder_quantized.onnx_data"))).toBe(true);
});
