// The checkpoints of a run and the tensors of a file, for the scripts here.
import { existsSync, readdirSync } from "node:fs";
import { f32, Rng } from "fewstep/base";
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

/**
 * Cell embeddings for weights from before there were any: a direction for each row and each column of the grid, together
 * half as long as a token's.
 */
export function startingCells({ imageTokens, hiddenSize }) {
  const rng = new Rng(5);
  const side = Math.sqrt(imageTokens);
  const direction = () => Float32Array.from({ length: hiddenSize }, () => 0.035 * rng.normal());
  const [rows, columns] = [Array.from({ length: side }, direction), Array.from({ length: side }, direction)];
  const table = f32([imageTokens + 1, hiddenSize]);
  for (let cell = 0; cell < imageTokens; cell++)
    for (let i = 0; i < hiddenSize; i++)
      table.data[(cell + 1) * hiddenSize + i] = rows[Math.floor(cell / side)][i] + columns[cell % side][i];
  return { "showo.model.embed_cells.weight": table };
}
