/**
 * The two halves of a MAGVIT-v2 tokenizer as programs: pixels to the ids of a grid and back. One picture at a time, so
 * that a picture does not depend on those beside it.
 */
import { fail, i64, type NdArray } from "../../base/index.ts";
import { Graph } from "../../graph/index.ts";
import { createHost, type Host, type Program } from "../../runtime/index.ts";
import { downsampling, type MagvitConfig } from "./config.ts";
import { decodeCodes, encodePixels } from "./graph.ts";
import { codesOf, tokenIds } from "./quantizer.ts";

export interface MagvitPrograms {
  readonly config: MagvitConfig;
  /** Pixels float32 [3, H, W] in [-1, 1] -> ids of the H/f x W/f grid, row by row. */
  encode(pixels: NdArray<"float32">): Promise<Int32Array>;
  /** Ids of a grid, row by row -> pixels float32 [3, height*f, width*f], about [-1, 1]. */
  decode(ids: Int32Array, height: number, width: number): Promise<NdArray<"float32">>;
  dispose(): Promise<void>;
}

type Half = "encode" | "decode";

/**
 * Programs for the grid of training pictures are compiled when first needed and kept; others serve once. `files`: .onnx
 * files of that grid, where they were made.
 */
export function magvitPrograms(
  config: MagvitConfig,
  weights: (name: string) => NdArray | undefined,
  host: Host = createHost({ host: "inline" }),
  files: Partial<Record<Half, string>> = {},
): MagvitPrograms {
  const factor = downsampling(config);
  const side = config.resolution / factor;
  const kept = new Map<Half, Promise<Program>>();

  const compile = (half: Half, height: number, width: number): Promise<Program> => {
    const graph = new Graph();
    if (half === "encode") buildEncoder(config, graph, height * factor, width * factor);
    else buildDecoder(config, graph, height, width);
    return host.compile(graph, { weights });
  };

  async function run(half: Half, height: number, width: number, feeds: Record<string, NdArray>): Promise<NdArray> {
    const usual = height === side && width === side;
    const file = files[half];
    if (usual && !kept.has(half)) kept.set(half, file ? host.compile(file) : compile(half, side, side));
    const program = await (usual ? kept.get(half)! : compile(half, height, width));
    try {
      return (await program.run(feeds)).out;
    } finally {
      if (!usual) await program.dispose();
    }
  }

  return {
    config,
    async encode(pixels) {
      const [channels, height, width] = pixels.shape;
      if (pixels.shape.length !== 3 || channels !== 3 || height % factor || width % factor || !height || !width)
        fail("these pixels cannot be cut into cells", {
          expected: `[3, H, W] with sides that are multiples of ${factor}`,
          got: `[${pixels.shape}]`,
        });
      const batch = { ...pixels, shape: [1, ...pixels.shape] };
      const ids = await run("encode", height / factor, width / factor, { pixels: batch });
      return Int32Array.from(ids.data as BigInt64Array, Number);
    },
    async decode(ids, height, width) {
      const foreign = ids.find((id) => id < 0 || id >= 2 ** config.bits);
      if (foreign !== undefined)
        fail("no such image token", { expected: `ids from 0 to ${2 ** config.bits - 1}`, got: `${foreign}` });
      const pixels = await run("decode", height, width, { ids: i64([1, height * width], ids) });
      return { ...(pixels as NdArray<"float32">), shape: pixels.shape.slice(1) };
    },
    async dispose() {
      for (const program of kept.values()) await (await program).dispose();
      kept.clear();
    },
  };
}

export function buildEncoder(config: MagvitConfig, graph: Graph, height: number, width: number): void {
  graph.output("out", tokenIds(encodePixels(graph.input("pixels", "float32", [1, 3, height, width]), config)));
}

export function buildDecoder(config: MagvitConfig, graph: Graph, height: number, width: number): void {
  const ids = graph.input("ids", "int64", [1, height * width]);
  graph.output("out", decodeCodes(codesOf(ids, config.bits, height, width), config));
}
