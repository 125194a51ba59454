// The checkpoints of a run and the tensors of a file, for the scripts here.
import { existsSync, readdirSync } from "node:fs";
import { f32 } from "fewstep/base";
import { readSafetensors } from "fewstep/files";

/** Tensors by name, as float32. */
export function tensorsOf(path) {
  const file = readSafetensors(path);
  return Object.fromEntries(file.names.map((name) => [name, file.float32(name)]));
}

/** Name of the newest checkpoint, and its step: undefined and 0 where there is none. */
export function newestCheckpoint(run) {
  const folder = `${run}/checkpoints`;
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^step-\d+$/.test(name)) : [];
  const name = names.sort().at(-1);
  return { name, step: name ? Number(name.slice(5)) : 0 };
}

/** Weights of a transformer from before its pictures had cell embeddings: they begin as zeros. */
export const withCells = ({ imageTokens, hiddenSize }, weights) => ({
  "showo.model.embed_cells.weight": f32([imageTokens + 1, hiddenSize]),
  ...weights,
});
