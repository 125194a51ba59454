// What smaller numbers cost: GenEval and captions of a model as it is and converted to fp32, q8, mixed and q4.
// node runs/table-dtypes.mjs [FOLDER]      (environment: runs/tables.mjs)
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { captions, geneval, json, models, SCORES, scores, section, share, table } from "./tables.mjs";

const [model = models.unguided] = process.argv.slice(2);
const { steps, guidance, topK } = json(`${model}/config.json`).defaults;
const DTYPES = ["fp32", "q8", "mixed", "q4"];

const megabytes = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => statSync(`${folder}/${name}`))
    .filter((file) => file.isFile())
    .reduce((sum, { size }) => sum + size, 0) / 1e6;

/** Anew, since the weights may be others than the last time. */
function convert(folder, dtype) {
  rmSync(folder, { recursive: true, force: true });
  const args = ["dist/cli/main.js", "convert", model, folder, "--dtype", dtype];
  execFileSync(process.execPath, args, { stdio: "inherit" });
}

const rows = [];
for (const dtype of [undefined, ...DTYPES]) {
  const folder = dtype ? `out/dtypes/${dtype}` : model;
  if (dtype) convert(folder, dtype);
  const drawn = await geneval(folder, { steps, guidance, topK });
  const read = captions(folder, "ar");
  rows.push([dtype ?? "as trained", megabytes(folder).toFixed(1), ...scores(drawn), share(read.facts)]);
}
await section(
  "table:dtypes",
  "Smaller numbers",
  [
    `\`node runs/table-dtypes.mjs\`: ${model} at ${steps} steps, guidance ${guidance}; captions token by token.`,
    table(["numbers", "MB", ...SCORES, "captions: all facts"], rows),
  ].join("\n\n"),
);
