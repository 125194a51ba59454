/** State dicts against the parameters of a network: every name, every shape, nothing more, and only finite numbers. */
import { breather, fail, type NdArray, throwIfAborted } from "../base/index.ts";
import { type Lora, readWeights, type Safetensors, withLora } from "../files/index.ts";
import { Graph } from "../graph/index.ts";
import { codebook, decodeCodes, downsampling, encodePixels, type MagvitConfig, powers } from "./magvit/index.ts";
import { type ShowoConfig, showoBody, showoHead } from "./showo/index.ts";

export type Shapes = ReadonlyMap<string, readonly number[]>;
export type StateDict = ReadonlyMap<string, NdArray<"float32">>;

/** The parameters that a graph has asked for. */
export const shapesOf = (graph: Graph): Shapes =>
  new Map([...graph.params].map(([name, { tensor }]) => [name, tensor.shape as readonly number[]]));

/** Names and shapes of a transformer's parameters. */
export function showoParameters(config: ShowoConfig): Shapes {
  const g = new Graph();
  const ids = g.input("ids", "int64", [1, "L"]);
  const positions = g.input("positions", "float32", ["L"]);
  const bias = g.input("bias", "float32", [1, 1, "L", "L"]);
  showoHead(config, showoBody(config, { ids, positions, bias }).hidden);
  return shapesOf(g);
}

/** Names and shapes of a tokenizer's parameters; its buffers are constants. */
export function magvitParameters(config: MagvitConfig): Shapes {
  const g = new Graph();
  const side = config.resolution / downsampling(config);
  encodePixels(g.input("pixels", "float32", [1, 3, config.resolution, config.resolution]), config);
  decodeCodes(g.input("codes", "float32", [1, config.bits, side, side]), config);
  return shapesOf(g);
}

/** Constants that published tokenizers store beside their parameters. */
export const magvitBuffers = ({ bits }: MagvitConfig): Record<string, ArrayLike<number>> => ({
  "quantize.embedding": codebook(bits),
  "quantize.power_vals": powers(bits),
});

/** What is stored of a tensor, as far as strictness asks. */
interface Stored {
  shape: readonly number[];
  float: boolean;
}

/** Refuses a state dict with missing, unexpected or misshaped tensors, all of them in one message. */
export function checkNames(
  stored: ReadonlyMap<string, Stored>,
  expected: Shapes,
  where: string,
  buffers: string[] = [],
) {
  const missing = [...expected.keys()].filter((name) => !stored.has(name));
  const extra = [...stored.keys()].filter((name) => !expected.has(name) && !buffers.includes(name));
  const others = [...expected].flatMap(([name, shape]) => {
    const found = stored.get(name);
    if (!found || (found.float && found.shape.join() === shape.join())) return [];
    return [`${name} [${found.shape}]${found.float ? "" : " of integers"} instead of [${shape}]`];
  });
  if (missing.length + extra.length + others.length === 0) return;
  const some = (what: string, names: string[]) =>
    names.length ? [`${names.length} ${what}: ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}`] : [];
  fail("the weights do not fit the model", {
    where,
    code: "BAD_WEIGHTS",
    expected: `the ${expected.size} tensors that its configuration asks for`,
    got: [...some("missing", missing), ...some("unexpected", extra), ...some("of another shape", others)].join("; "),
    hint: "Load the weights that belong to this config.json, or correct it.",
  });
}

/** Refuses NaN and infinity. */
export function checkFinite(name: string, { data }: NdArray<"float32">, where: string): void {
  let at = 0;
  while (at < data.length && Number.isFinite(data[at])) at++;
  if (at < data.length)
    fail(`tensor "${name}" holds numbers that are not finite`, {
      where,
      code: "BAD_WEIGHTS",
      got: `${data[at]} at element ${at}`,
      hint: "The training that wrote them diverged, or the file was damaged; use an earlier checkpoint.",
    });
}

export interface Loading {
  file: string;
  /** Tensors read so far, and of how many. */
  done: number;
  total: number;
}

export interface ReadOptions {
  /** Constants that a file may hold; they must have these values. */
  buffers?: Record<string, ArrayLike<number>>;
  /** Names that a file may hold and nobody reads. */
  ignored?: readonly string[];
  /** Added to the tensors that it names. */
  adapter?: Lora;
  signal?: AbortSignal;
  onProgress?: (progress: Loading) => void;
}

/** Reads a file whose tensors must be exactly these, as float32. Nothing is read before names and shapes fit. */
export async function readStateDict(path: string, expected: Shapes, options: ReadOptions = {}): Promise<StateDict> {
  const { buffers = {}, ignored = [], adapter, signal, onProgress } = options;
  const file = adapter ? withLora(readWeights(path), adapter) : readWeights(path);
  try {
    const stored = new Map(file.names.map((name) => [name, storedOf(file, name)]));
    checkNames(stored, expected, path, [...Object.keys(buffers), ...ignored]);
    for (const [name, values] of Object.entries(buffers)) if (file.has(name)) checkBuffer(file, name, values, path);
    const state = new Map<string, NdArray<"float32">>();
    const pause = breather();
    for (const name of expected.keys()) {
      throwIfAborted(signal);
      const tensor = file.float32(name);
      checkFinite(name, tensor, path);
      state.set(name, tensor);
      onProgress?.({ file: path, done: state.size, total: expected.size });
      await pause();
    }
    return state;
  } finally {
    file.close();
  }
}

const storedOf = (file: Safetensors, name: string): Stored => {
  const { dtype, shape } = file.info(name);
  return { shape, float: ["F16", "BF16", "F32", "F64"].includes(dtype) };
};

function checkBuffer(file: Safetensors, name: string, values: ArrayLike<number>, where: string): void {
  const { data } = file.get(name);
  const same = data.length === values.length && Array.from(data, Number).every((x, i) => x === values[i]);
  if (!same)
    fail(`the constant "${name}" is not the one of this quantiser`, {
      where,
      code: "BAD_WEIGHTS",
      hint: "The file belongs to another kind of tokenizer.",
    });
}
