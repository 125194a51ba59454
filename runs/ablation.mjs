// Students of the first stage that differ in one thing, each trained, then measured at 4 steps. Used by table-*.mjs.

import { readFileSync } from "node:fs";
import { captions, geneval, models, SCORES, say, scores, share } from "./tables.mjs";
import { distil, publish, shareTrajectories, turboConfig } from "./turbo-settings.mjs";

export const COLUMNS = [...SCORES, "tokens a pass", "facts", "variety"];

/** How varied a student's pictures were in the last steps, as a share of its labels. */
function varietyOf(run) {
  const last = JSON.parse(readFileSync(`${run}/metrics.jsonl`, "utf8").trim().split("\n").at(-1));
  return last.imageDiversity;
}

/** Rows of a table: `variants` are [name, settings over those of the run, columns of the paper]. */
export async function ablate(variants, { run = process.env.OUT ?? "out/turbo" } = {}) {
  const rows = [];
  for (const [name, more, paper = []] of variants) {
    const out = `out/ablations/${name.replace(/\W+/g, "-")}`;
    const base = turboConfig(models.unguided);
    const { segments, textSegments, ...settings } = more;
    const stage = { ...base.stages[0], ...(segments && { segments }), ...(textSegments && { textSegments }) };
    shareTrajectories(run, out);
    say(`${name}: training`);
    try {
      const model = await distil({ ...turboConfig(models.unguided, settings), stages: [stage] }, out);
      await publish(model, `${out}/model`, name);
    } catch (error) {
      if (error.code !== "DIVERGED") throw error;
      rows.push([name, error.message.split("\n")[0], ...COLUMNS.slice(1).map(() => ""), ...paper]);
      continue;
    }
    const read = captions(`${out}/model`, "jacobi");
    const drawn = scores(await geneval(`${out}/model`, { steps: 4, guidance: 0 }));
    const variety = varietyOf(`${out}/stage-1/run`).toFixed(2);
    rows.push([name, ...drawn, read.tokensPerPass.toFixed(2), share(read.facts), variety, ...paper]);
  }
  return rows;
}
