/** Files that hold tensors, logs and users' data, written whole or not at all. */
export * from "./atomic.ts";
export * from "./dataset.ts";
export { fromBfloat16, fromFloat16, narrow, toFloat16, widen } from "./half.ts";
export * from "./hub.ts";
export {
  bytesIn,
  type CachedRepository,
  cachedCommit,
  cachedRepositories,
  removeRepository,
  repositoryFolder,
  snapshotFiles,
} from "./hub-cache.ts";
export { type Hub, hubFrom } from "./hub-settings.ts";
export { type IdxPictures, parseIdx, readIdxFolder } from "./idx.ts";
export * from "./jsonl.ts";
export { type Lora, readLora, withLora } from "./lora.ts";
export { readPth } from "./pth.ts";
export { readSafetensors, type Safetensors } from "./safetensors.ts";
export type { StoredDType, TensorInfo } from "./safetensors-header.ts";
export * from "./safetensors-write.ts";
export * from "./shards.ts";
