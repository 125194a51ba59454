/**
 * One transformer layer at a time: what it computes from real activations in float32, how its weights are best scaled
 * before they are rounded, and how far a rounded layer is off. Activations and weights of one layer are all it holds.
 */
import { f32, type NdArray, sizeOf } from "../base/index.ts";
import { toFloat16 } from "../files/index.ts";
import { Graph, type Tensor } from "../graph/index.ts";
import {
  JOINED,
  type Kernels,
  plainKernels,
  rotary,
  type ShowoConfig,
  type StorageChoice,
  showoLayer,
  storedKernels,
  watched,
} from "../models/showo/index.ts";
import { joinsWell, type Storage, storedArrays } from "../nn/index.ts";
import { compile, createHost, type Host, type Program } from "../runtime/index.ts";

/** Float32 weights of one layer by their names in it ("mlp.fc1.weight"). */
export type LayerWeights = ReadonlyMap<string, NdArray<"float32">>;

/** Activations of one calibration row that enter a layer [1, M, D], and who sees whom [1, 1, M, M]. */
export interface Row {
  x: NdArray<"float32">;
  bias: NdArray<"float32">;
}

const AFTER_NORM = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1"];
const joinedName = `self_attn.${JOINED.name}`;
const LINEAR = [...AFTER_NORM, joinedName, "self_attn.dense", "mlp.fc2"];

/** A layer's graph; parameters that `compile` is given no weights for are inputs. */
function layerGraph(config: ShowoConfig, kernels: Kernels): { graph: Graph; taps: Map<string, Tensor> } {
  const graph = new Graph();
  const taps = new Map<string, Tensor>();
  const { out } = showoLayer(config, graph.input("x", "float32", [1, "M", config.hiddenSize]), {
    rotations: rotary(config, graph.input("positions", "float32", ["M"])),
    bias: graph.input("bias", "float32", [1, 1, "M", "M"]),
    kernels: watched(kernels, (layer, x) => taps.set(layer, x)),
  });
  graph.output("out", out);
  return { graph, taps };
}

const positions = ({ x }: Row) =>
  f32(
    [x.shape[1]],
    Float32Array.from({ length: x.shape[1] }, (_, i) => i),
  );

export interface Reference {
  /** Activations after the layer, row by row. */
  out: NdArray<"float32">[];
  /** What the norm gives, by channel: the largest magnitudes. */
  peaks: Float32Array;
}

export interface ReferenceLayer {
  run(weights: LayerWeights, rows: readonly Row[]): Promise<Reference>;
  dispose(): Promise<void>;
}

/** The float32 layer, compiled once; weights are inputs, so that none is copied. */
export async function referenceLayer(config: ShowoConfig, threads?: number): Promise<ReferenceLayer> {
  const { graph, taps } = layerGraph(config, plainKernels);
  graph.output("normed", taps.get(AFTER_NORM[0])!);
  const program = await compile(graph, { threads, spinning: false });
  return {
    async run(weights, rows) {
      const out: NdArray<"float32">[] = [];
      const peaks = new Float32Array(config.hiddenSize);
      for (const row of rows) {
        const made = await program.run({ ...Object.fromEntries(weights), ...row, positions: positions(row) });
        out.push(made.out as NdArray<"float32">);
        raise(peaks, made.normed.data as Float32Array);
      }
      return { out, peaks };
    },
    dispose: () => program.dispose(),
  };
}

function raise(peaks: Float32Array, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    const x = Math.abs(values[i]);
    if (x > peaks[i % peaks.length]) peaks[i % peaks.length] = x;
  }
}

/**
 * Moves spread from activations to weights, so that both survive 8 bits: channel j of what the norm gives is divided by s_j,
 * which the weights that read it take up. The float32 layer computes the same. Values keep their scale: one dtype writes
 * the cache that another reads. Xiao et al., "SmoothQuant" (ICML 2023), section 4.
 */
export function smooth(weights: LayerWeights, peaks: Float32Array): LayerWeights {
  const out = new Map([...weights].map(([name, { shape, data }]) => [name, f32(shape, data.slice())]));
  const columns = new Float32Array(peaks.length);
  for (const name of AFTER_NORM) raise(columns, out.get(`${name}.weight`)!.data);
  const scale = peaks.map((p, j) => (p > 0 && columns[j] > 0 ? Math.sqrt(p / columns[j]) : 1));
  for (const name of AFTER_NORM) {
    const { data } = out.get(`${name}.weight`)!;
    for (let i = 0; i < data.length; i++) data[i] *= scale[i % scale.length];
  }
  for (const part of ["weight", "bias"]) {
    const { data } = out.get(`input_layernorm.${part}`)!;
    for (let j = 0; j < data.length; j++) data[j] /= scale[j];
  }
  return out;
}

export const storageIn = ({ all, but }: StorageChoice, layer: string): Storage => but?.[layer] ?? all;

/** Everything that is stored of a layer, by name. */
export function storeLayer(weights: LayerWeights, choice: StorageChoice): Map<string, NdArray> {
  const stored = new Map<string, NdArray>();
  const layer = joinsWell(storageIn(choice, joinedName)) ? joinedWeights(weights) : weights;
  for (const [name, array] of layer) {
    const linear = name.replace(/\.weight$/, "");
    if (!name.endsWith(".weight") || !LINEAR.includes(linear)) {
      stored.set(name, array);
      continue;
    }
    const { weight, scales } = storedArrays(array.data, array.shape[1], storageIn(choice, linear), toFloat16);
    stored.set(name, weight);
    if (scales) stored.set(`${linear}.scales`, scales);
  }
  return stored;
}

/** Queries, keys and values as one matrix, row below row. */
function joinedWeights(weights: LayerWeights): LayerWeights {
  const out = new Map(weights);
  for (const part of ["weight", "bias"]) {
    const names = JOINED.of.map((name) => `self_attn.${name}.${part}`);
    const parts = names.map((name) => weights.get(name)!);
    for (const name of names) out.delete(name);
    const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    const whole = f32([rows, ...parts[0].shape.slice(1)]);
    let at = 0;
    for (const { data } of parts) {
      whole.data.set(data, at);
      at += data.length;
    }
    out.set(`${joinedName}.${part}`, whole);
  }
  return out;
}

/** How far a stored layer is from the float32 one: |change - change'| / |change| of what it adds to its input. */
export async function errorOf(
  config: ShowoConfig,
  stored: ReadonlyMap<string, NdArray>,
  choice: StorageChoice,
  rows: readonly Row[],
  { out }: Reference,
  threads?: number,
): Promise<number> {
  const kernels = { ...plainKernels, ...storedKernels((layer) => storageIn(choice, layer)) };
  const { graph } = layerGraph(config, kernels);
  const host: Host = createHost({ host: "inline", threads, spinning: false });
  try {
    const program: Program = await host.compile(graph, { weights: (name) => stored.get(name) });
    let [wrong, all] = [0, 0];
    for (const [i, row] of rows.entries()) {
      const got = (await program.run({ ...row, positions: positions(row) })).out.data as Float32Array;
      const want = out[i].data;
      for (let j = 0; j < sizeOf(row.x.shape); j++) {
        wrong += (got[j] - want[j]) ** 2;
        all += (want[j] - row.x.data[j]) ** 2;
      }
    }
    return Math.sqrt(wrong / all);
  } finally {
    await host.dispose();
  }
}
