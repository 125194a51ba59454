/** fewstep generate PROMPT: draws a picture of a sentence. */
import type { Command } from "commander";
import { drawCommand } from "./shell/draw.ts";
import type { Io } from "./shell/io.ts";
import { type DrawingOptions, drawingOptions, promptFrom } from "./shell/options.ts";

export function generate(program: Command, io: Io): void {
  drawingOptions(program.command("generate", { isDefault: true }))
    .description("draw a picture of a sentence")
    .argument("<prompt>", 'what to draw; "" for anything, - to read it from standard input')
    .action(async (argument: string, options: DrawingOptions) => {
      const prompt = await promptFrom(argument, io);
      await drawCommand((model, settings) => model.generateImage(prompt, settings), prompt, options, io);
    });
}
