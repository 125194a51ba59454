/** The schema of a golden folder of VAR and CoDe. What a check does with it is not known here. */
import { z } from "zod";

const size = z.int().min(1);
const sides = z.array(size).min(1);

export const vaeConfig = z.object({
  ch: size,
  ch_mult: z.array(size),
  num_res_blocks: size,
  norm_groups: size,
  norm_eps: z.number().default(1e-6),
  z_channels: size,
  vocab_size: size,
  share_quant_resi: size,
  quant_resi_ratio: z.number(),
  using_znorm: z.literal(false).default(false),
  beta: z.number().default(0.25),
  patch_nums: sides,
});

export const varConfig = z.object({
  embed_dim: size,
  num_heads: size,
  depth: size,
  mlp_ratio: z.number(),
  norm_eps: z.number(),
  num_classes: size,
  attn_l2_norm: z.boolean(),
  shared_aln: z.boolean(),
  patch_nums: sides,
  vocab_size: size,
  z_channels: size,
});

const expected = z.object({
  compare: z.enum(["exact", "allclose"]),
  atol: z.number().min(0).default(0),
  rtol: z.number().min(0).default(0),
  max_bad_fraction: z.number().min(0).max(1).default(0),
});

const caseEntry = z.object({
  id: z.string().min(1),
  kind: z.string().min(1),
  file: z.string().min(1),
  weights: z.record(z.string(), z.string()).default({}),
  params: z.unknown().optional(),
  inputs: z.array(z.string()).default([]),
  expected: z.record(z.string(), expected),
});
export type VarEntry = z.infer<typeof caseEntry>;

export const varManifest = z.object({
  format: z.literal(1),
  weights: z.record(
    z.string(),
    z.object({ file: z.string(), pth_file: z.string().optional(), config: z.record(z.string(), z.unknown()) }),
  ),
  cases: z.array(caseEntry).min(1),
});
export type VarManifest = z.infer<typeof varManifest>;
