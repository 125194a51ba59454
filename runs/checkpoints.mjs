// The checkpoints of a run, for the scripts here.
import { existsSync, readdirSync } from "node:fs";

/** Name of the newest checkpoint, and its step: undefined and 0 where there is none. */
export function newestCheckpoint(run) {
  const folder = `${run}/checkpoints`;
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^step-\d+$/.test(name)) : [];
  const name = names.sort().at(-1);
  return { name, step: name ? Number(name.slice(5)) : 0 };
}
