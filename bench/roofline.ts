/** What this machine can do at best, measured in the run whose figures it stands beside. */
import { f32, type NdArray, nd } from "fewstep/base";
import { cast, Graph, gemm } from "fewstep/graph";
import { storedArrays, storedLinear } from "fewstep/nn";
import { compile, type Program } from "fewstep/runtime";

export interface Roofline {
  /** Billions of multiplications and additions a second: products of 8 bits, of float32. */
  int8: number;
  fp32: number;
  /** Billions of bytes a second that products of one row read. */
  bandwidth: number;
}

const [ROWS, WIDTH, OUT] = [258, 2048, 8192];

/** `threads`: as the programs beside it use. */
export async function roofline(threads?: number): Promise<Roofline> {
  const weight = f32([OUT, WIDTH]);
  for (let i = 0; i < weight.data.length; i++) weight.data[i] = ((i * 2654435761) % 1000) / 1000 - 0.5;
  const bias = f32([OUT]);
  const x = (rows: number) => f32([rows, WIDTH], new Float32Array(rows * WIDTH).fill(0.5));
  const stored: Record<string, NdArray | undefined> = {
    ...storedArrays(weight.data, WIDTH, "int8", () => new Uint16Array()),
    bias,
  };
  const input = (g: Graph) => g.input("x", "float32", ["M", WIDTH]);
  const int8 = await program((g) => storedLinear(input(g), OUT, "int8"), stored, threads);
  const fp32 = await program(
    (g) => gemm(input(g), g.param("weight", [OUT, WIDTH]), { transB: true }),
    { weight },
    threads,
  );
  const operations = 2 * ROWS * WIDTH * OUT;
  const rate = async (of: Program) => operations / 1e6 / (await fastest(() => of.run({ x: x(ROWS) })));
  // A matrix beyond every cache, read once.
  const large = nd("float32", [16 * OUT, 1024], new Float32Array(16 * OUT * 1024).fill(1));
  const reader = await program(
    (g) =>
      gemm(g.input("x", "float32", ["M", 1024]), cast(g.param("weight", [16 * OUT, 1024]), "float32"), {
        transB: true,
      }),
    { weight: large },
    threads,
  );
  const row = f32([1, 1024], new Float32Array(1024).fill(1));
  const figures = {
    int8: await rate(int8),
    fp32: await rate(fp32),
    bandwidth: large.data.byteLength / 1e6 / (await fastest(() => reader.run({ x: row }))),
  };
  for (const one of [int8, fp32, reader]) await one.dispose();
  return figures;
}

function program(
  build: (g: Graph) => ReturnType<typeof gemm>,
  weights: Record<string, NdArray | undefined>,
  threads?: number,
): Promise<Program> {
  const graph = new Graph();
  graph.output("y", build(graph));
  return compile(graph, { threads, weights: (name) => weights[name] });
}

/** Shortest milliseconds of several tries. */
async function fastest(work: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
