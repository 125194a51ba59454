/** The pixel decoder on 8 bits: close where it is kept, gone where it is not. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { f32, i64, Rng, sizeOf } from "../base/index.ts";
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

test("measured ranges and rounded weights keep the picture", async () => {
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
  await writeSafetensors(join(root, "weights.safetensors"), state);
  const weights = readWeights(join(root, "weights.safetensors"));
  mkdirSync(join(root, "onnx"));
  const write = async (stem: string, build: (g: Graph) => void) => {
    const graph = new Graph();
    build(graph);
    const file = await openDataFile(join(root, "onnx"), stem);
    for (const name of graph.params.keys()) await file.add(name, [weights.float32(name)]);
    const { places } = await file.sync();
    await file.close();
    await writeAtomic(join(root, "onnx", `${stem}.onnx`), writeOnnx(graph, { weights: (name) => places[name] }));
    return places;
  };
  await write("vq_encoder", (g) => buildEncoder(config, g, 16, 16));
  const places = await write("vq_decoder", (g) => buildDecoder(config, g, 8, 8));
  const report = await quantizeDecoder(config, weights, root, places, 1);
  weights.close();
  expect(report.rounded).toBeGreaterThan(8);
  expect(report.rounded).toBeLessThan(report.convolutions);
  expect(report.psnr).toBeGreaterThan(30);
  expect(report.psnr).toBeLessThan(80); // it is rounded
  expect(report.kept).toBe(report.psnr >= 40);
  const path = join(root, "onnx/vq_decoder_quantized.onnx");
  expect(existsSync(path)).toBe(report.kept);
  expect(existsSync(join(root, "onnx/vq_decoder_probe.onnx"))).toBe(false);
  if (!report.kept) return;
  const ids = i64(
    [1, 64],
    Array.from({ length: 64 }, () => rng.int(64)),
  );
  const [rounded, plain] = [await compile(path), await compile(join(root, "onnx/vq_decoder.onnx"))];
  const [a, b] = [await rounded.run({ ids }), await plain.run({ ids })];
  const worst = Math.max(...(a.out.data as Float32Array).map((x, i) => Math.abs(x - Number(b.out.data[i]))));
  expect(worst).toBeLessThan(0.3);
});
