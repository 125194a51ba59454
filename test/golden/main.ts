/** `npm run golden -- FOLDER [--filter TEXT] [--slow]`: checks a folder of golden vectors, one line per case. */
import { parseArgs } from "node:util";
import { runGolden } from "./run.ts";

const USAGE = "usage: npm run golden -- FOLDER [--filter TEXT] [--slow]";

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { filter: { type: "string" }, slow: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help || positionals.length !== 1) {
    console.log(USAGE);
    return values.help ? 0 : 1;
  }
  const results = await runGolden(positionals[0], {
    filter: values.filter,
    slow: values.slow,
    onResult: ({ id, ok, report }) => console.log(`${ok ? "ok  " : "FAIL"} ${id.padEnd(28)} ${oneLine(report)}`),
  });
  const failed = results.filter(({ ok }) => !ok).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, ", ");

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
