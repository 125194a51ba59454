/** Runs one command line: finds the command, tells errors from mistakes in typing, gives the exit code. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { FewstepError } from "../base/index.ts";
import { convert } from "./convert.ts";
import { describe } from "./describe.ts";
import { distill } from "./distill.ts";
import { doctor } from "./doctor.ts";
import { evaluate } from "./eval.ts";
import { extend } from "./extend.ts";
import { generate } from "./generate.ts";
import { inpaint } from "./inpaint.ts";
import { inspect } from "./inspect.ts";
import { list } from "./list.ts";
import { pull } from "./pull.ts";
import { rm } from "./rm.ts";
import { scenes } from "./scenes.ts";
import { serve } from "./serve.ts";
import { type Io, printable } from "./shell/io.ts";
import { show } from "./show.ts";
import { start } from "./start.ts";
import { studio } from "./studio.ts";
import { synth } from "./synth.ts";
import { train } from "./train.ts";

/** Each adds itself to the program. The order is that of the help text. */
const COMMANDS = [
  generate,
  describe,
  inpaint,
  extend,
  inspect,
  scenes,
  train,
  distill,
  evaluate,
  serve,
  studio,
  start,
  pull,
  list,
  show,
  rm,
  convert,
  synth,
  doctor,
];

export const EXIT = { done: 0, failed: 1, usage: 2, cancelled: 130 } as const;

/** `argv` without node and the program. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const pending: string[] = [];
  const program = new Command("fewstep")
    .description("Draw pictures from text and text from pictures, in a few steps.")
    .version(version())
    .usage('[options] "a prompt" | command')
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong command line, 130 cancelled.")
    .configureOutput({ writeOut: (text) => pending.push(text), writeErr: (text) => io.err(text) })
    .exitOverride();
  for (const add of COMMANDS) add(program, io);
  try {
    await program.parseAsync(argv.length ? argv : ["--help"], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io);
    if (error.exitCode !== 0) return EXIT.usage;
    await io.out(pending.join(""));
    return EXIT.done;
  }
}

const version = (): string => JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;

/** One message, and the stack only for who asks for it. */
function report(error: unknown, io: Io): number {
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  // Whoever read our output has seen enough.
  if (errno === "EPIPE") return EXIT.done;
  if (io.signal.aborted || (error instanceof FewstepError && error.code === "ABORTED")) {
    io.err("fewstep: cancelled\n");
    return EXIT.cancelled;
  }
  if (error instanceof FewstepError) io.err(`fewstep: ${printable(error.message)}\n`);
  else if (errno === "ENOSPC") io.err("fewstep: the disk is full\n");
  else io.err(`fewstep: ${error instanceof Error ? error.message : error}\n  Set FEWSTEP_DEBUG=1 to see where.\n`);
  if (io.env.FEWSTEP_DEBUG && error instanceof Error) {
    io.err(`${error.stack}\n`);
    if (error.cause) io.err(`caused by ${error.cause instanceof Error ? error.cause.stack : error.cause}\n`);
  }
  return EXIT.failed;
}
