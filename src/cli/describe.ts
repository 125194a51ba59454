/** fewstep describe IMAGE [QUESTION]: writes a sentence about a picture, as it is decoded. */
import type { Command } from "commander";
import type { DescribeOptions } from "../tasks/index.ts";
import { type Io, printable } from "./shell/io.ts";
import { imageFrom, type ModelOptions, modelOptions, number, openModel, warn } from "./shell/options.ts";

type Options = ModelOptions & Omit<DescribeOptions, "signal" | "drafter"> & { drafter?: string };

const block = (text: string): number | "auto" => (text === "auto" ? text : number(text));

export function describe(program: Command, io: Io): void {
  modelOptions(program.command("describe"))
    .description("describe a picture, or answer a question about it")
    .argument("<image>", "picture file, - to read it from standard input")
    .argument("[question]", "what to ask (default: for a description)")
    .option("--decoding <way>", "jacobi: several tokens a pass; ar: one")
    .option("--block <tokens>", "tokens that a Jacobi round corrects at once, or auto: what is quickest here", block)
    .option("--drafter <name>", "a quicker model whose drafts are checked; the text stays that of --model")
    .option("--draft-passes <count>", "passes of the drafter over each draft", number)
    .option("--temperature <strength>", "0 takes the most likely token", number)
    .option("--top-k <count>", "choose among the k most likely tokens only", number)
    .option("--seed <number>", "of the choices and first guesses (default: random)", number)
    .option("--max-tokens <count>", "longest answer", number)
    .action(async (argument: string, question: string | undefined, options: Options) => {
      const image = await imageFrom(argument, io);
      const model = await openModel(options, io);
      const drafter =
        options.drafter === undefined ? undefined : await openModel({ ...options, model: options.drafter }, io);
      try {
        const run = model.describe(image, question, { ...options, drafter, signal: io.signal });
        for await (const { delta } of run) if (!options.json) await io.out(printable(delta));
        const { warnings, ...result } = await run;
        warn(io, warnings);
        const { tokens, passes, timings } = result;
        await io.out(options.json ? `${JSON.stringify({ task: "describe", ...result, warnings })}\n` : "\n");
        if (io.live && !options.json)
          io.err(`${tokens} tokens in ${passes} passes, ${(timings.total / 1000).toFixed(2)} s\n`);
      } finally {
        await model.dispose();
        await drafter?.dispose();
      }
    });
}
