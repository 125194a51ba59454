/**
 * The graphs of a converted Show-o: one body for prompts, pictures and text alike, and a head for each modality. Weights
 * are stored as the conversion chose; the caches of keys and values are read where they lie.
 */
import { type Graph, reshape, type Tensor } from "../../graph/index.ts";
import { type Storage, storedLinear } from "../../nn/index.ts";
import type { ShowoConfig } from "./config.ts";
import { showoBody } from "./graph.ts";
import { type Kernels, packedKernels } from "./kernels.ts";
import { headColumns } from "./sequence.ts";

export const PACKED_PARTS = ["body", "image_head", "text_head"] as const;
export type PackedPart = (typeof PACKED_PARTS)[number];

export interface PackedStorage {
  /** How the linear layer of this name is stored. */
  linear: (layer: string) => Storage;
  embeddings: "fp32" | "fp16";
}

/** Names of a layer's cache input and of the output with its fresh rows. */
export const cacheName = (part: "k" | "v", layer: number): string => `cache_${part}_${layer}`;
export const freshName = (part: "k" | "v", layer: number): string => `fresh_${part}_${layer}`;

/**
 * ids [1, M], positions [M], bias [1, M, T], caches [T, H, d] whose last M rows are the outputs' memory -> hidden [M, D]
 * after the final norm, fresh keys and values [1, M, H, d].
 */
export function buildPackedBody(config: ShowoConfig, g: Graph, storage: PackedStorage): void {
  const { layers, heads, hiddenSize } = config;
  const cache = (part: "k" | "v", l: number) =>
    g.input(cacheName(part, l), "float32", ["T", heads, hiddenSize / heads]);
  const past = Array.from({ length: layers }, (_, l) => ({ k: cache("k", l), v: cache("v", l) }));
  const { hidden, present } = showoBody(config, {
    ids: g.input("ids", "int64", [1, "M"]),
    positions: g.input("positions", "float32", ["M"]),
    bias: g.input("bias", "float32", [1, "M", "T"]),
    past,
    kernels: packedKernels(storage.linear, storage.embeddings),
  });
  g.output("hidden", reshape(hidden, ["M", hiddenSize]));
  for (const [l, { k, v }] of present.entries()) {
    g.output(freshName("k", l), k);
    g.output(freshName("v", l), v);
  }
}

/** hidden [M, D] -> logits [M, columns] of text or of the codebook; its parameters are those columns only. */
export function buildPackedHead(config: ShowoConfig, g: Graph, of: "text" | "image", storage: PackedStorage): void {
  const { start, end } = headColumns(config, of);
  const hidden = g.input("hidden", "float32", ["M", config.hiddenSize]);
  const logits = g.scope("showo.lm_head", () => storedLinear(hidden, end - start, storage.linear(g.layer)));
  g.output("logits", logits);
}

export function buildPackedPart(config: ShowoConfig, g: Graph, part: PackedPart, storage: PackedStorage): void {
  if (part === "body") buildPackedBody(config, g, storage);
  else buildPackedHead(config, g, part === "image_head" ? "image" : "text", storage);
}

/** Kernels that also tell what every linear layer reads. */
export function watched(kernels: Kernels, saw: (layer: string, x: Tensor) => void): Kernels {
  return {
    ...kernels,
    linear(x, out) {
      saw(x.graph.layer, x);
      return kernels.linear(x, out);
    },
  };
}
