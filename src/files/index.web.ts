/// <reference lib="dom" />
/** Files in a page: downloads come in, downloads go out. */
import { fail } from "../base/index.ts";
import type { Lora } from "./lora.ts";
import type { Safetensors } from "./safetensors.ts";

export * from "./fetched.ts";
export { fromBfloat16, fromFloat16, narrow, toFloat16, widen } from "./half.ts";
export type { Lora } from "./lora.ts";
export * from "./safetensors.ts";
export type { StoredDType, TensorInfo } from "./safetensors-header.ts";

export const withLora = (_: Safetensors, __: Lora): Safetensors =>
  fail("adapters cannot be used in a page", { hint: "Merge them first: fewstep convert --lora." });

/** Hands the file to the person as a download. */
export async function writeAtomic(path: string, content: Uint8Array): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content as Uint8Array<ArrayBuffer>]));
  link.download = path;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
