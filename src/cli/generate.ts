/** fewstep generate PROMPT: draws a picture of a sentence. */
import type { Command } from "commander";
import { fail } from "../base/index.ts";
import { labelModelFolder } from "../models/var/index.ts";
import { drawCommand } from "./shell/draw.ts";
import { drawClass } from "./shell/draw-class.ts";
import type { Io } from "./shell/io.ts";
import { type DrawingOptions, drawingOptions, number, openModel, promptFrom } from "./shell/options.ts";

interface Options extends DrawingOptions {
  draftScales?: number;
  drafter?: string;
  draftSteps?: number;
  draftGuidance?: number;
}

export function generate(program: Command, io: Io): void {
  drawingOptions(program.command("generate", { isDefault: true }))
    .description("draw a picture of a sentence")
    .argument("<prompt>", 'what to draw; "" for anything, - to read it from standard input')
    .option("--drafter <name>", "a model that decides the first steps, such as the teacher of a distilled one")
    .option("--draft-steps <count>", "steps that the drafter decides (default: 1)", number)
    .option("--draft-guidance <weight>", "guidance of the drafter (default: by that model)", number)
    .option("--draft-scales <count>", "for models that draw a class: scales that the drafter decides", number)
    .action(async (argument: string, { drafter: name, draftSteps, draftGuidance, ...options }: Options) => {
      const prompt = await promptFrom(argument, io);
      const { model } = options;
      if (model !== undefined && labelModelFolder(model)) return drawClass(prompt, { ...options, model }, io);
      if (options.draftScales !== undefined)
        fail("this model draws sentences, not scales", {
          where: "--draft-scales",
          hint: "Name a next-scale model: --model code-mini. Steps are shared by --drafter and --draft-steps.",
        });
      const drafter = name === undefined ? undefined : await openModel({ ...options, model: name }, io);
      const draft = { drafter, draftSteps, draftGuidance };
      try {
        await drawCommand(
          (model, settings) => model.generateImage(prompt, { ...settings, ...draft }),
          prompt,
          options,
          io,
        );
      } finally {
        await drafter?.dispose();
      }
    });
}
