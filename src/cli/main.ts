#!/usr/bin/env node
/** The fewstep program. */
import { run } from "./run.ts";
import { processIo } from "./shell/io.ts";

process.exitCode = await run(process.argv.slice(2), processIo());
