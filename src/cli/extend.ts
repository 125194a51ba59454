/** fewstep extend IMAGE --left N ... PROMPT: draws what lies beyond the edges of a picture. */
import type { Command } from "commander";
import { drawCommand } from "./shell/draw.ts";
import type { Io } from "./shell/io.ts";
import { type DrawingOptions, drawingOptions, imageFrom, number, promptFrom } from "./shell/options.ts";

type Options = DrawingOptions & { left?: number; right?: number; up?: number; down?: number };

export function extend(program: Command, io: Io): void {
  drawingOptions(program.command("extend"))
    .description("draw what lies beyond the edges of a picture, sideways or up and down")
    .argument("<image>", "picture file, - to read it from standard input")
    .argument("[prompt]", "what the new parts show", "")
    .option("--left <pixels>", "pixels of the given picture, rounded up to cells of an eighth of it or less", number)
    .option("--right <pixels>", "the same on the right", number)
    .option("--up <pixels>", "the same above", number)
    .option("--down <pixels>", "the same below", number)
    .action(async (argument: string, text: string, { left, right, up, down, ...options }: Options) => {
      const [image, prompt] = [await imageFrom(argument, io), await promptFrom(text, io)];
      const margins = { prompt, left, right, up, down };
      await drawCommand((model, settings) => model.extend(image, { ...settings, ...margins }), prompt, options, io);
    });
}
