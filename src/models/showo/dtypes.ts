/** What a model can be converted to: how its matrices are stored, and what its files are called. */
import type { Storage } from "../../nn/index.ts";
import type { PackedPart } from "./packed-graphs.ts";

/** How the linear layers of one transformer layer are stored: all alike, but for those named. */
export interface StorageChoice {
  readonly all: Storage;
  readonly but?: Readonly<Record<string, Storage>>;
}

interface Stored {
  /** In file names, as other tools of the hub write it. */
  readonly suffix: string;
  /** Tried in this order until the error of the layer is small enough; the last is taken in any case. */
  readonly layers: readonly StorageChoice[];
  readonly heads: Storage;
  readonly embeddings: "fp32" | "fp16";
}

export const DTYPES = {
  fp32: { suffix: "", layers: [{ all: "fp32" }], heads: "fp32", embeddings: "fp32" },
  fp16: { suffix: "_fp16", layers: [{ all: "fp16" }], heads: "fp16", embeddings: "fp16" },
  q8: {
    suffix: "_quantized",
    layers: [
      { all: "int8" },
      { all: "int8", but: { "mlp.fc2": "n8" } },
      { all: "int8", but: { "mlp.fc2": "n8", "self_attn.dense": "n8" } },
      { all: "n8" },
    ],
    heads: "n8",
    embeddings: "fp16",
  },
  q4: { suffix: "_q4", layers: [{ all: "n4" }], heads: "n8", embeddings: "fp16" },
} as const satisfies Record<string, Stored>;

export type PackedDType = keyof typeof DTYPES;

/** Name of a part's file below the model's folder. */
export const partFile = (part: PackedPart, dtype: PackedDType): string => `onnx/${part}${DTYPES[dtype].suffix}.onnx`;
