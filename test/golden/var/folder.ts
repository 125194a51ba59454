/** A folder of golden vectors of VAR: the networks it was computed with, as users run them, and its cases. */
import { join } from "node:path";
import { fail, type NdArray } from "fewstep/base";
import { readSafetensors, type Safetensors } from "fewstep/files";
import { type MsvqConfig, type MsvqPrograms, msvqPrograms } from "fewstep/models/msvq";
import { type VarConfig, type VarPrograms, varPrograms } from "fewstep/models/var";
import { type Comparison, compare, type Values } from "../compare.ts";
import { type VarEntry, type VarManifest, vaeConfig, varConfig } from "./manifest.ts";

export type Weights = (name: string) => NdArray | undefined;

export interface VarFolder {
  readonly manifest: VarManifest;
  /** Path of a file of the folder. */
  path(file: string): string;
  open(entry: VarEntry): VarCase;
  /** Networks by the name their weights have in the manifest. */
  vae(name: string): { config: MsvqConfig; weights: Weights; programs: MsvqPrograms };
  var(name: string): { config: VarConfig; weights: Weights; programs: VarPrograms };
  dispose(): Promise<void>;
}

export interface VarCase {
  readonly entry: VarEntry;
  get(field: string): NdArray<"float32">;
  /** All values of a field as numbers. */
  numbers(field: string): number[];
  /** A recorded input that may lie in another case's file: "case:field". */
  input(name: string): NdArray<"float32">;
  check(field: string, got: Values): void;
  /** Compares what is not among the recorded outputs. */
  expect(name: string, got: unknown, want: unknown): void;
  readonly comparisons: Comparison[];
}

export function msvqConfigOf(json: unknown): MsvqConfig {
  const c = vaeConfig.parse(json);
  const half = (blocks: number) => ({
    ch: c.ch,
    chMult: c.ch_mult,
    numResBlocks: c.ch_mult.map(() => blocks),
    groups: c.norm_groups,
    attention: true,
  });
  return {
    model: "msvq",
    encoder: half(c.num_res_blocks),
    decoder: half(c.num_res_blocks + 1),
    normEps: c.norm_eps,
    zChannels: c.z_channels,
    codebookSize: c.vocab_size,
    sides: c.patch_nums,
    phi: { count: c.share_quant_resi, ratio: c.quant_resi_ratio },
  };
}

function varConfigOf(json: unknown): VarConfig {
  const c = varConfig.parse(json);
  return {
    model: "var",
    width: c.embed_dim,
    depth: c.depth,
    heads: c.num_heads,
    mlpSize: c.embed_dim * c.mlp_ratio,
    normEps: c.norm_eps,
    classes: c.num_classes,
    qkNorm: c.attn_l2_norm,
    sharedNorm: c.shared_aln,
    sides: c.patch_nums,
    codebookSize: c.vocab_size,
    zChannels: c.z_channels,
  };
}

export function openVarFolder(folder: string, manifest: VarManifest): VarFolder {
  const files = new Map<string, Safetensors>();
  const file = (name: string): Safetensors => {
    const known = files.get(name) ?? readSafetensors(join(folder, name));
    files.set(name, known);
    return known;
  };
  const entryOf = (id: string) =>
    manifest.cases.find((entry) => entry.id === id) ?? fail("no such case", { got: id, code: "BAD_FILE" });
  const weightsOf = (name: string) => {
    const known = manifest.weights[name] ?? fail("no such weights", { got: name, code: "BAD_FILE" });
    const state = file(known.file);
    return {
      json: known.config,
      weights: (tensor: string) => (state.has(tensor) ? state.get(tensor) : undefined),
    };
  };
  const networks = new Map<string, { programs: { dispose(): Promise<void> } }>();
  const once = <N extends { programs: { dispose(): Promise<void> } }>(name: string, make: () => N): N => {
    const known = (networks.get(name) as N | undefined) ?? make();
    networks.set(name, known);
    return known;
  };
  return {
    manifest,
    path: (name) => join(folder, name),
    open(entry) {
      const comparisons: Comparison[] = [];
      const get = (field: string, of = entry) => file(of.file).get(field) as NdArray<"float32">;
      const badness = (name: string) => entry.expected[name] ?? fail("an output is not recorded", { got: name });
      return {
        entry,
        get,
        numbers: (field) => Array.from(get(field).data),
        input(name) {
          const [id, field] = name.includes(":") ? name.split(":") : [entry.id, name];
          return get(field, entryOf(id));
        },
        check(field, got) {
          const { atol, rtol, max_bad_fraction: badFraction } = badness(field);
          comparisons.push(compare(field, got, get(field), { atol, rtol, badFraction }));
        },
        expect(name, got, want) {
          const same = JSON.stringify(got) === JSON.stringify(want);
          const problem = same ? undefined : `got ${JSON.stringify(got)} where ${JSON.stringify(want)} is recorded`;
          comparisons.push({ field: name, exact: true, ratio: same ? 0 : Infinity, error: 0, allowed: 0, problem });
        },
        comparisons,
      };
    },
    vae: (name) =>
      once(name, () => {
        const { json, weights } = weightsOf(name);
        const config = msvqConfigOf(json);
        return { config, weights, programs: msvqPrograms(config, weights) };
      }),
    var: (name) =>
      once(name, () => {
        const { json, weights } = weightsOf(name);
        const config = varConfigOf(json);
        return { config, weights, programs: varPrograms(config, weights) };
      }),
    async dispose() {
      for (const { programs } of networks.values()) await programs.dispose();
      for (const open of files.values()) open.close();
    },
  };
}
