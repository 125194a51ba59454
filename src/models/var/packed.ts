/**
 * A next-scale transformer in files, its matrices in 8 bits: one body for every pass, since what is packed for products
 * belongs to a program, and heads with and without guidance.
 */
import { f32, type NdArray } from "../../base/index.ts";
import { Graph } from "../../graph/index.ts";
import { type Storage, storedLinear } from "../../nn/index.ts";
import type { Program } from "../../runtime/index.ts";
import type { VarConfig } from "./config.ts";
import { type VarLinear, varBody, varHead } from "./graph.ts";
import {
  buildConditions,
  buildEmbedding,
  guide,
  keepOutputs,
  type Pass,
  pastInputs,
  programsOf,
  type Run,
  type VarPrograms,
} from "./programs.ts";

export const PACKED_VAR_PARTS = ["body", "head", "guided_head", "conditions", "embed"] as const;
export type PackedVarPart = (typeof PACKED_VAR_PARTS)[number];

/** File of a part of the network whose body is `file` (NAME.onnx). */
export const packedVarFile = (file: string, part: PackedVarPart): string =>
  part === "body" ? file : file.replace(/\.onnx$/, `.${part}.onnx`);

/** How the matrix of a layer is stored. What a class decides reaches every block, and few rows compute it: more exactly. */
export const packedVarStorage = ({ width }: VarConfig, layer: string): Storage =>
  /ada_lin/.test(layer) ? (width % 16 === 0 ? "n8" : "fp16") : "int8";

/** The graph of a part. Body: x [R, M, C], mods, bias [1, 1, M, P+M] and the past -> hidden [R, M, C], keys and values. */
export function buildPackedVar(config: VarConfig, part: PackedVarPart): Graph {
  const g = new Graph();
  const linear: VarLinear = (x, out, { bias } = {}) =>
    storedLinear(x, out, packedVarStorage(config, x.graph.layer), bias);
  // Rows come in pairs where they are guided.
  const r = part === "guided_head" ? "2*B" : "R";
  const mods = () => g.input("mods", "float32", [r, 6 * config.depth + 2, config.width]);
  const rows = (name: string) => g.input(name, "float32", [r, "M", config.width]);
  switch (part) {
    case "conditions":
      buildConditions(config, g, linear);
      return g;
    case "embed":
      buildEmbedding(config, g);
      return g;
    case "body": {
      const bias = g.input("bias", "float32", [1, 1, "M", "P+M"]);
      const past = pastInputs(config, g, "R");
      const { hidden, present } = varBody(config, { x: rows("x"), mods: mods(), bias, past, linear });
      g.output("hidden", hidden);
      keepOutputs(g, present);
      return g;
    }
    default: {
      const logits = varHead(config, rows("hidden"), mods(), linear);
      const guided = part === "guided_head";
      g.output("logits", guided ? guide(logits, g.input("guidance", "float32", []), config) : logits);
      return g;
    }
  }
}

/** The programs of such files; each is opened when first needed. */
export function packedVarPrograms(config: VarConfig, open: (part: PackedVarPart) => Promise<Program>): VarPrograms {
  const opened = new Map<PackedVarPart, Promise<Program>>();
  const program = (part: PackedVarPart): Promise<Program> => {
    const known = opened.get(part) ?? open(part);
    opened.set(part, known);
    return known;
  };
  const runOf = async (part: PackedVarPart): Promise<Run> => {
    const { run } = await program(part);
    return (feeds, into) => run(feeds, into);
  };
  return programsOf(config, {
    conditions: () => runOf("conditions"),
    embed: () => runOf("embed"),
    async pass({ guided, keep, last }: Pass) {
      const [body, head] = [await runOf("body"), await runOf(guided ? "guided_head" : "head")];
      return async ({ guidance, bias, ...feeds }, into = {}) => {
        const [m, past] = [feeds.x.shape[1], feeds.past_k_0.shape[0]];
        const { hidden, ...kept } = await body({ ...feeds, bias: bias ?? f32([1, 1, m, past + m]) }, keep ? into : {});
        const wanted = lastRows(hidden as NdArray<"float32">, last ?? m);
        const made = await head({ hidden: wanted, mods: feeds.mods, ...(guided && { guidance }) });
        return { ...made, ...(keep && kept) };
      };
    },
    async dispose() {
      for (const one of opened.values()) await (await one).dispose();
      opened.clear();
    },
  });
}

/** The last `count` of M rows [R, M, C]. */
function lastRows({ shape: [rows, m, width], data }: NdArray<"float32">, count: number): NdArray<"float32"> {
  const out = f32([rows, count, width]);
  for (let row = 0; row < rows; row++)
    out.data.set(data.subarray(((row + 1) * m - count) * width, (row + 1) * m * width), row * count * width);
  return out;
}
