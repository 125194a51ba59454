/**
 * The pixel decoder with convolutions of 8 bits: ranges are measured on pictures, weights rounded for each output
 * channel, and of the decoder's blocks so many rounded as its pictures bear, which stay close to those of float32.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { f32, i64, type NdArray, nd, Rng, sizeOf } from "../base/index.ts";
import { type Safetensors, writeAtomic } from "../files/index.ts";
import {
  add,
  conv2d,
  dequantizeLinear,
  Graph,
  mul,
  type Node,
  neg,
  qlinearConv,
  quantizeLinear,
  reduceMax,
  type Tensor,
} from "../graph/index.ts";
import { buildDecoder, downsampling, type MagvitConfig } from "../models/magvit/index.ts";
import { type ExternalData, writeOnnx } from "../onnx/index.ts";
import { compile } from "../runtime/index.ts";
import { openDataFile } from "./data-file.ts";

export interface PixelReport {
  /** Against float32, the worst of the calibration pictures. */
  psnr: number;
  /** Convolutions of 8 bits, and all. */
  rounded: number;
  convolutions: number;
  /** Whether it is close enough to be used. */
  kept: boolean;
}

/** Mean squared error of 40 dB, of pixels in [-1, 1]. */
const CLOSE_ENOUGH = 4e-4;
/** Fewer channels are faster and much better as they are: the first and the last convolution. */
const FEW_CHANNELS = 16;
const PICTURES = 3;
const STEM = "vq_decoder_quantized";
const PROBE = "vq_decoder_probe.onnx";

/** Of the error that is allowed, how much the blocks may make one by one: together they make more. */
const SHARE = 0.7;
/** How often the worst block is left out before all are. */
const TRIES = 4;

/** Writes `onnx/vq_decoder_quantized.onnx` beside the float32 decoder and encoder, whose files are there already. */
export async function quantizeDecoder(
  config: MagvitConfig,
  weights: Safetensors,
  work: string,
  places: Readonly<Record<string, ExternalData>>,
  threads?: number,
): Promise<PixelReport> {
  const folder = join(work, "onnx");
  const side = config.resolution / downsampling(config);
  const plain = new Graph();
  buildDecoder(config, plain, side, side);
  const convs = plain.nodes.filter(({ op }) => op === "Conv");
  const wide = convs.filter(({ inputs: [, weight] }) =>
    weight!.shape.slice(0, 2).every((n) => Number(n) >= FEW_CHANNELS),
  );
  if (wide.length === 0) return { psnr: Infinity, rounded: 0, convolutions: convs.length, kept: false };
  const codes = await calibrationCodes(config, join(folder, "vq_encoder.onnx"), threads);
  const { ranges, pictures } = await measure(plain, wide, codes, folder, places, threads);

  /** Writes the decoder with these convolutions rounded; its mean squared error on the worst of `count` pictures. */
  const attempt = async (chosen: readonly Node[], count = codes.length): Promise<number> => {
    const { graph, stored } = roundConvs(plain, new Set(chosen), ranges, weights);
    const file = await openDataFile(folder, STEM);
    for (const [name, array] of stored) await file.add(name, [array]);
    const state = await file.sync();
    await file.close();
    const path = join(folder, `${STEM}.onnx`);
    await writeAtomic(path, writeOnnx(graph, { weights: (name) => state.places[name] }));
    const program = await compile(path, { threads, spinning: false });
    let worst = 0;
    for (let i = 0; i < count; i++) {
      const { out } = await program.run({ ids: codes[i] });
      worst = Math.max(worst, squaredError(out.data as Float32Array, pictures[i]));
    }
    await program.dispose();
    return worst;
  };
  const discard = async () => {
    for (const name of [`${STEM}.onnx`, `${STEM}.onnx_data`]) await rm(join(folder, name), { force: true });
  };

  let chosen: readonly Node[] = wide;
  let error = await attempt(chosen);
  if (error > CLOSE_ENOUGH) {
    const blocks: Block[] = [];
    const blockOf = ({ layer }: Node) => layer.replace(/\.[^.]+$/, "");
    for (const name of new Set(wide.map(blockOf))) {
      const nodes = wide.filter((node) => blockOf(node) === name);
      await discard();
      blocks.push({ nodes, error: await attempt(nodes, 1), work: nodes.reduce((sum, node) => sum + workOf(node), 0) });
    }
    const bearable = cheapest(blocks, SHARE * CLOSE_ENOUGH);
    for (let left = TRIES; error > CLOSE_ENOUGH && left > 0 && bearable.length > 0; left--, bearable.pop()) {
      await discard();
      chosen = bearable.flatMap(({ nodes }) => nodes);
      error = await attempt(chosen);
    }
  }
  const kept = error <= CLOSE_ENOUGH;
  if (!kept) await discard();
  return { psnr: decibels(error), rounded: chosen.length, convolutions: convs.length, kept };
}

/** Convolutions that are rounded together. */
interface Block {
  nodes: readonly Node[];
  /** Mean squared error of a picture when it alone is rounded. */
  error: number;
  /** Multiplications. */
  work: number;
}

/** Blocks whose errors stay below `limit` together, those with the most work for their error first. */
function cheapest(blocks: readonly Block[], limit: number): Block[] {
  let sum = 0;
  return blocks
    .toSorted((a, b) => a.error / a.work - b.error / b.work)
    .filter(({ error }) => {
      const fits = sum + error <= limit;
      if (fits) sum += error;
      return fits;
    });
}

const workOf = ({ inputs: [, weight], outputs: [out] }: Node): number =>
  sizeOf(out.shape as number[]) * sizeOf(weight!.shape.slice(1) as number[]);

/** Tokens of simple pictures: soft gradients with a few discs. */
async function calibrationCodes(config: MagvitConfig, encoder: string, threads?: number): Promise<NdArray<"int64">[]> {
  const program = await compile(encoder, { threads, spinning: false });
  const rng = new Rng(11);
  const side = config.resolution;
  const codes: NdArray<"int64">[] = [];
  for (let picture = 0; picture < PICTURES; picture++) {
    const pixels = f32([1, 3, side, side]);
    const discs = Array.from({ length: 5 }, () => [rng.uniform(), rng.uniform(), 0.05 + 0.2 * rng.uniform()]);
    for (let c = 0; c < 3; c++) {
      const [base, down, right] = [2 * rng.uniform() - 1, rng.uniform() - 0.5, rng.uniform() - 0.5];
      const shades = discs.map(() => 2 * rng.uniform() - 1);
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++) {
          const [v, u] = [y / side, x / side];
          const disc = discs.findIndex(([cy, cx, r]) => (v - cy) ** 2 + (u - cx) ** 2 < r * r);
          const value = disc < 0 ? base + down * v + right * u : shades[disc];
          pixels.data[(c * side + y) * side + x] = Math.max(-1, Math.min(1, value));
        }
    }
    const { out } = await program.run({ pixels });
    codes.push(i64(out.shape, out.data as BigInt64Array));
  }
  await program.dispose();
  return codes;
}

/** Smallest and largest values, 0 among them. */
interface Range {
  low: number;
  high: number;
}

interface ConvRange {
  input: Range;
  output: Range;
}

async function measure(
  plain: Graph,
  convs: readonly Node[],
  codes: readonly NdArray<"int64">[],
  folder: string,
  places: Readonly<Record<string, ExternalData>>,
  threads?: number,
): Promise<{ ranges: Map<Node, ConvRange>; pictures: Float32Array[] }> {
  const probe = copyGraph(
    plain,
    (graph, { name, shape }) => graph.param(name, shape as number[]),
    new Set(convs),
    (node, x, graph) => {
      const i = convs.indexOf(node);
      const watch = (name: string, tensor: Tensor): Tensor => {
        const [high, low] = [tensor, neg(tensor)].map((t) => reduceMax(t, [0, 1, 2, 3]));
        graph.output(`${name} high ${i}`, high);
        graph.output(`${name} low ${i}`, low);
        // What comes next waits for the measure, or all that is measured would stay in memory to the end.
        return add(tensor, mul(add(high, low), 0));
      };
      const [weight, bias] = node.inputs.slice(1).map((t) => graph.param(t!.name, t!.shape as number[]));
      const spatial = { strides: intsOf(node, "strides"), pads: intsOf(node, "pads") };
      return watch("output", conv2d(watch("input", x), weight, bias, spatial));
    },
  );
  const path = join(folder, PROBE);
  await writeAtomic(path, writeOnnx(probe, { weights: (name) => places[name] }));
  const program = await compile(path, { threads, spinning: false });
  const nothing = (): Range => ({ low: 0, high: 0 });
  const ranges = new Map<Node, ConvRange>(convs.map((node) => [node, { input: nothing(), output: nothing() }]));
  const pictures: Float32Array[] = [];
  for (const ids of codes) {
    const made = await program.run({ ids });
    pictures.push((made.out.data as Float32Array).slice());
    for (const [i, node] of convs.entries())
      for (const name of ["input", "output"] as const) {
        const range = ranges.get(node)![name];
        range.high = Math.max(range.high, Number(made[`${name} high ${i}`].data[0]));
        range.low = Math.min(range.low, -Number(made[`${name} low ${i}`].data[0]));
      }
  }
  await program.dispose();
  await rm(path);
  return { ranges, pictures };
}

/** Makes the output of a convolution anew from its copied input. */
type Replace = (node: Node, x: Tensor, graph: Graph) => Tensor;

/** The graph again up to its output, some of its convolutions replaced. `keep` makes a parameter. */
function copyGraph(
  plain: Graph,
  keep: (graph: Graph, tensor: Tensor) => Tensor,
  chosen: ReadonlySet<Node>,
  replace: Replace,
): Graph {
  const graph = new Graph();
  const copies = new Map<Tensor, Tensor>();
  for (const [name, tensor] of plain.inputs) copies.set(tensor, graph.input(name, tensor.dtype, tensor.shape));
  const copyOf = (tensor: Tensor): Tensor => {
    const known = copies.get(tensor);
    if (known) return known;
    const constant = plain.constants.get(tensor);
    const made = constant ? graph.constant(constant) : keep(graph, tensor);
    copies.set(tensor, made);
    return made;
  };
  const out = plain.outputs.get("out")!;
  for (const node of plain.reachable([out])) {
    if (chosen.has(node)) {
      copies.set(node.outputs[0], replace(node, copyOf(node.inputs[0]!), graph));
      continue;
    }
    const inputs = node.inputs.map((input) => input && copyOf(input));
    const types = node.outputs.map(({ dtype, shape }) => ({ dtype, shape }));
    const made = graph.scope(node.layer, () => graph.append(node.op, inputs, node.attributes, types));
    for (const [i, tensor] of node.outputs.entries()) copies.set(tensor, made[i]);
  }
  graph.output("out", copyOf(out));
  return graph;
}

const intsOf = (node: Node, name: string): number[] => (node.attributes[name] as { ints: number[] }).ints;

/** The graph with some of its convolutions on 8 bits, and everything that it stores. */
function roundConvs(
  plain: Graph,
  chosen: ReadonlySet<Node>,
  ranges: ReadonlyMap<Node, ConvRange>,
  weights: Safetensors,
): { graph: Graph; stored: Map<string, NdArray> } {
  const stored = new Map<string, NdArray>();
  const quantized = new Map<Tensor, Tensor>();
  const store = (graph: Graph, name: string, array: NdArray): Tensor => {
    stored.set(name, array);
    return graph.param(name, array.shape, { constant: 0 }, array.dtype);
  };
  const graph = copyGraph(
    plain,
    (graph, { name }) => store(graph, name, weights.float32(name)),
    chosen,
    (node, x, graph) => {
      const [, weight, bias] = node.inputs as Tensor[];
      const { input, output } = ranges.get(node)!;
      const scale = { x: scaleOf(input), y: scaleOf(output) };
      const scalars = (of: { scale: number; zero: number }) =>
        [graph.constant(f32([], [of.scale])), graph.constant(nd("uint8", [], Uint8Array.of(of.zero)))] as const;
      const [xScale, xZero] = scalars(scale.x);
      const [yScale, yZero] = scalars(scale.y);
      const rounded = roundWeights(weights.float32(weight.name), weights.float32(bias.name), scale.x.scale);
      const small = quantized.get(x) ?? quantizeLinear(x, xScale, xZero);
      quantized.set(x, small);
      const y = qlinearConv(
        [
          small,
          xScale,
          xZero,
          store(graph, weight.name, rounded.weight),
          store(graph, weight.name.replace(/\.weight$/, ".scales"), rounded.scales),
          graph.constant(nd("int8", rounded.scales.shape)),
          yScale,
          yZero,
          store(graph, bias.name, rounded.bias),
        ],
        intsOf(node, "strides"),
        intsOf(node, "pads"),
      );
      return dequantizeLinear(y, yScale, yZero);
    },
  );
  return { graph, stored };
}

function scaleOf({ low, high }: Range): { scale: number; zero: number } {
  const scale = (high - low) / 255 || 1;
  return { scale, zero: Math.round(-low / scale) };
}

/** Weights [O, ...] with a scale for each output, and the bias in units of the products. */
function roundWeights({ shape, data }: NdArray<"float32">, bias: NdArray<"float32">, xScale: number) {
  const [out] = shape;
  const width = data.length / out;
  const scales = f32([out]);
  const weight = nd("int8", shape);
  const shift = nd("int32", [out]);
  for (let o = 0; o < out; o++) {
    let most = 0;
    for (let i = o * width; i < (o + 1) * width; i++) most = Math.max(most, Math.abs(data[i]));
    const scale = most / 127 || 1;
    scales.data[o] = scale;
    for (let i = o * width; i < (o + 1) * width; i++) weight.data[i] = Math.round(data[i] / scale);
    shift.data[o] = Math.round(bias.data[o] / (scale * xScale));
  }
  return { weight, scales, bias: shift };
}

/** Mean over pixels in [-1, 1], which what is beyond is cut to. */
function squaredError(got: Float32Array, want: Float32Array): number {
  const clamp = (x: number) => Math.max(-1, Math.min(1, x));
  let squares = 0;
  for (let i = 0; i < got.length; i++) squares += (clamp(got[i]) - clamp(want[i])) ** 2;
  return squares / got.length;
}

/** Peak signal-to-noise ratio. */
const decibels = (error: number): number => 10 * Math.log10(4 / error);
