/**
 * A multi-scale tokenizer as programs: pictures to ids, ids to feature maps scale by scale, maps to pixels. Pictures are
 * read and drawn a few at a time, so that memory does not grow with the batch.
 */
import { bool, f32, fail, i64, type NdArray, nd, sizeOf } from "../../base/index.ts";
import { concat, type Graph, maximum, minimum, reshape, type Tensor } from "../../graph/index.ts";
import { createHost, type Host, programsOn, type SessionOptions } from "../../runtime/index.ts";
import { latentSide, type MsvqConfig, pictureSide, tokenCount } from "./config.ts";
import { latentOf, pixelsOf } from "./graph.ts";
import { addScale, mapOf, nextInput, quantize, teacherInputs } from "./quantizer.ts";

/** Pictures as a next-scale model learns them. */
export interface Encoded {
  /** Ids of all scales [B, L]. */
  ids: NdArray<"int64">;
  /** What a model reads under teacher forcing [B, L - l0, Z]. */
  inputs: NdArray<"float32">;
  /** Feature maps after each scale [K, B, Z, P, P]. */
  fHats: NdArray<"float32">;
}

export interface MsvqPrograms {
  readonly config: MsvqConfig;
  /**
   * Pixels float32 [B, 3, H, W] in [-1, 1] to what there is to learn of them. `astray`: ids [B, L] that the maps are made
   * with in place of the nearest ones, -1 where there is none; what then has to be corrected is in the ids of later scales.
   */
  encode(pixels: NdArray<"float32">, astray?: Int32Array): Promise<Encoded>;
  /** The map [B, Z, P, P] with the codes [B, l, Z] of one scale added, and what is read for the next scale [B, l', Z]. */
  addScale(
    scale: number,
    fHat: NdArray<"float32">,
    codes: NdArray<"float32">,
  ): Promise<{ fHat: NdArray<"float32">; next?: NdArray<"float32"> }>;
  /** What is read for scale `scale` of a map: the map pooled to its size [B, l, Z]. */
  pool(fHat: NdArray<"float32">, scale: number): Promise<NdArray<"float32">>;
  /** Rows of the codebook [ids.length, Z]. */
  codes(ids: ArrayLike<number>): Float32Array;
  /** Maps [B, Z, P, P] to pixels [B, 3, H, W] in [-1, 1]. */
  decode(fHat: NdArray<"float32">): Promise<NdArray<"float32">>;
  dispose(): Promise<void>;
}

export interface MsvqOptions extends SessionOptions {
  host?: Host;
  /** Pictures read or drawn at once. */
  micro?: number;
}

export function msvqPrograms(
  config: MsvqConfig,
  weights: (name: string) => NdArray | undefined,
  { host = createHost({ host: "inline" }), micro = 4, ...settings }: MsvqOptions = {},
): MsvqPrograms {
  const { zChannels, codebookSize, sides } = config;
  const [side, pixels] = [latentSide(config), pictureSide(config)];
  const { once, dispose } = programsOn(host, { ...settings, weights });

  /** Runs `name` on at most `micro` rows at a time and joins what comes out. */
  async function inParts(
    name: string,
    feeds: Record<string, NdArray>,
    build: (graph: Graph, rows: number) => void,
  ): Promise<Record<string, NdArray>[]> {
    const parts: Record<string, NdArray>[] = [];
    const [rows] = feeds.x.shape;
    for (let start = 0; start < rows; start += micro) {
      const count = Math.min(micro, rows - start);
      const program = await once(`${name} ${count}`, (graph) => build(graph, count));
      const some = Object.entries(feeds).map(([of, array]) => [of, rowsOf(array, start, count)]);
      parts.push(await program.run(Object.fromEntries(some)));
    }
    return parts;
  }

  const table = (): Float32Array => {
    const codes = weights("quantize.embedding.weight");
    return codes?.dtype === "float32"
      ? (codes.data as Float32Array)
      : fail("the codebook is missing", { where: "quantize.embedding.weight", code: "BAD_WEIGHTS" });
  };

  return {
    config,
    async encode(x, astray) {
      if (x.shape.join() !== [x.shape[0], 3, pixels, pixels].join())
        fail("these pixels do not fit the tokenizer", {
          expected: `[B, 3, ${pixels}, ${pixels}]`,
          got: `[${x.shape}]`,
        });
      const rows = x.shape[0];
      const length = tokenCount(config);
      const feeds = astray ? { x, ...astrayFeeds(astray, rows, length, codebookSize) } : { x };
      const parts = await inParts(astray ? "encode astray" : "encode", feeds, (graph, count) =>
        buildEncoder(config, graph, count, astray !== undefined),
      );
      const scales = sides.length;
      const map = zChannels * side * side;
      const fHats = f32([scales, rows, zChannels, side, side]);
      let start = 0;
      for (const { f_hats: part } of parts) {
        const count = part.shape[1];
        const data = part.data as Float32Array;
        for (let s = 0; s < scales; s++)
          fHats.data.set(data.subarray(s * count * map, (s + 1) * count * map), (s * rows + start) * map);
        start += count;
      }
      return {
        ids: {
          dtype: "int64",
          shape: [rows, length],
          data: BigInt64Array.from(parts.flatMap(({ ids }) => [...(ids.data as BigInt64Array)])),
        },
        inputs: joined(scales > 1 ? parts : [], "inputs", [rows, length - sides[0] ** 2, zChannels]),
        fHats,
      };
    },
    async addScale(scale, fHat, codes) {
      const program = await once(`scale ${scale}`, (graph) => buildScale(config, graph, scale));
      const { f_hat, next } = await program.run({ f_hat_before: fHat, codes });
      return { fHat: f_hat as NdArray<"float32">, next: next as NdArray<"float32"> | undefined };
    },
    async pool(fHat, scale) {
      const program = await once(`pool ${scale}`, (graph) => {
        const map = graph.input("f_hat", "float32", ["B", zChannels, side, side]);
        graph.output("next", nextInput(map, scale - 1, config));
      });
      return (await program.run({ f_hat: fHat })).next as NdArray<"float32">;
    },
    codes(ids) {
      const codes = table();
      const out = new Float32Array(ids.length * zChannels);
      for (let i = 0; i < ids.length; i++) {
        if (!(ids[i] >= 0 && ids[i] < codebookSize))
          fail("no such image token", { expected: `ids from 0 to ${codebookSize - 1}`, got: `${ids[i]}` });
        out.set(codes.subarray(ids[i] * zChannels, (ids[i] + 1) * zChannels), i * zChannels);
      }
      return out;
    },
    async decode(fHat) {
      const parts = await inParts("decode", { x: fHat }, (graph, rows) =>
        buildDecoder(config, graph, rows, fHat.shape),
      );
      const [rows, , h, w] = fHat.shape;
      const factor = pixels / side;
      return joined(parts, "pixels", [rows, 3, h * factor, w * factor]);
    },
    dispose,
  };
}

/** Rows start ... start+count-1. */
function rowsOf(array: NdArray, start: number, count: number): NdArray {
  const [, ...shape] = array.shape;
  const size = sizeOf(shape);
  return nd(array.dtype, [count, ...shape], array.data.slice(start * size, (start + count) * size));
}

function astrayFeeds(astray: Int32Array, rows: number, length: number, vocab: number): Record<string, NdArray> {
  if (astray.length !== rows * length || astray.some((id) => id < -1 || id >= vocab))
    fail("these tokens cannot lead astray", {
      expected: `${rows} x ${length} ids from 0 to ${vocab - 1}, or -1`,
      got: `${astray.length} from ${Math.min(...astray)} to ${Math.max(...astray)}`,
    });
  const taken = Uint8Array.from(astray, (id) => Number(id >= 0));
  return {
    astray: i64(
      [rows, length],
      astray.map((id) => Math.max(0, id)),
    ),
    taken: bool([rows, length], taken),
  };
}

function joined(parts: readonly Record<string, NdArray>[], name: string, shape: number[]): NdArray<"float32"> {
  const out = f32(shape);
  let at = 0;
  for (const part of parts) {
    out.data.set(part[name].data as Float32Array, at);
    at += part[name].data.length;
  }
  return out;
}

function buildEncoder(config: MsvqConfig, graph: Graph, rows: number, astray: boolean): void {
  const pixels = pictureSide(config);
  const { sides } = config;
  const tokens = [rows, tokenCount(config)];
  const latent = latentOf(graph.input("x", "float32", [rows, 3, pixels, pixels]), config);
  const led = astray && { ids: graph.input("astray", "int64", tokens), taken: graph.input("taken", "bool", tokens) };
  const scales = quantize(latent, config, led || undefined);
  const fHats = scales.map(({ fHat }) => fHat);
  graph.output(
    "ids",
    concat(
      scales.map(({ ids }) => ids),
      1,
    ),
  );
  if (sides.length > 1) graph.output("inputs", teacherInputs(fHats, config));
  graph.output("f_hats", stack(fHats));
}

/** Tensors of one shape along a new first axis. */
const stack = (tensors: readonly Tensor[]): Tensor =>
  concat(
    tensors.map((t) => reshape(t, [1, ...t.shape])),
    0,
  );

function buildScale(config: MsvqConfig, graph: Graph, scale: number): void {
  const { zChannels, sides } = config;
  const side = latentSide(config);
  const before = graph.input("f_hat_before", "float32", ["B", zChannels, side, side]);
  const codes = graph.input("codes", "float32", ["B", sides[scale] ** 2, zChannels]);
  const fHat = addScale(before, mapOf(codes, sides[scale]), scale, config);
  graph.output("f_hat", fHat);
  if (scale + 1 < sides.length) graph.output("next", nextInput(fHat, scale, config));
}

function buildDecoder(config: MsvqConfig, graph: Graph, rows: number, shape: readonly number[]): void {
  const pixels = pixelsOf(graph.input("x", "float32", [rows, ...shape.slice(1)]), config);
  graph.output("pixels", minimum(maximum(pixels, -1), 1));
}
