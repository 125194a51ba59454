/** fewstep inpaint IMAGE --mask MASK PROMPT: draws part of a picture anew. */
import { type Command, Option } from "commander";
import type { MaskMode } from "../image/index.ts";
import { drawCommand } from "./shell/draw.ts";
import type { Io } from "./shell/io.ts";
import { type DrawingOptions, drawingOptions, imageFrom, promptFrom } from "./shell/options.ts";

type Options = DrawingOptions & { mask: string; maskMode: MaskMode };

export function inpaint(program: Command, io: Io): void {
  drawingOptions(program.command("inpaint"))
    .description("draw the masked part of a picture anew")
    .argument("<image>", "picture file, - to read it from standard input")
    .argument("<prompt>", "what the new part shows")
    .requiredOption("--mask <file>", "picture of the same shape: transparent, or else white, where to draw")
    .addOption(
      new Option("--mask-mode <mode>", "what marks the part to draw")
        .choices(["auto", "alpha", "white", "black"])
        .default("auto"),
    )
    .action(async (argument: string, text: string, { mask, maskMode, ...options }: Options) => {
      const [image, prompt] = [await imageFrom(argument, io), await promptFrom(text, io)];
      const begin = { maskMode };
      await drawCommand(
        (model, settings) => model.inpaint(image, mask, prompt, { ...settings, ...begin }),
        prompt,
        options,
        io,
      );
    });
}
