/** npm run bench -- train|generate|full|code|web [--rounds N] [--json] [--write FILE.md]: ratios on this machine, in one run. */
import { parseArgs } from "node:util";
import { benchCode } from "./code.ts";
import { benchFull } from "./full.ts";
import { benchGenerate } from "./generate.ts";
import { circumstances, writeSection } from "./report.ts";
import { benchTrain } from "./train.ts";
import { benchWeb } from "./web.ts";

/** Headings of sections that docs/RESULTS.md may not have yet. */
const TITLES: Partial<Record<string, string>> = { full: "The published size", code: "Published sizes of VAR and CoDe" };
const BENCHMARKS = { train: benchTrain, generate: benchGenerate, full: benchFull, code: benchCode, web: benchWeb };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "7" }, json: { type: "boolean" }, write: { type: "string" } },
});
const name = positionals[0] as keyof typeof BENCHMARKS;
const rounds = Number(values.rounds);
if (positionals.length !== 1 || !(name in BENCHMARKS) || !(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [--rounds N] [--json] [--write FILE.md]`);
  process.exit(2);
}
const { figures, text } = await BENCHMARKS[name]({ rounds });
const about = circumstances();
if (values.json) console.log(JSON.stringify({ benchmark: name, figures, circumstances: about }));
else console.log(`${text}\n\n${about}`);
if (values.write)
  await writeSection(
    values.write,
    `bench:${name}`,
    `${text}\n\nMedians of ${rounds} rounds, in turns: ${about}.`,
    TITLES[name],
  );
