/** Drawing classes scale by scale in the process of a model. */
import { setImmediate as breath } from "node:timers/promises";
import { pictureSide } from "../../models/msvq/index.ts";
import type { LabelModel } from "../../tasks/index.ts";
import type { GenerateWork } from "../work.ts";
import { type Member, tellImages, tellPartials } from "./hand-over.ts";

/** What denoising has and scales do not. */
const MEANINGLESS = ["steps", "temperature", "schedule"] as const;

export async function generateClass(model: LabelModel, member: Member<GenerateWork>): Promise<void> {
  const { work, signal, tell, fail } = member;
  const resolution = pictureSide(model.tokenizer.config);
  try {
    const { draftScales, guidance, topK, seed, n } = work;
    const run = model.generateImage(work.prompt, { draftScales, guidance, topK, seed, n, batchSize: n, signal });
    for await (const step of run) {
      const { index, total, side } = step;
      // Whole scales are decided at once: there are no cells to show.
      tell({ kind: "step", index, total, grid: { height: side, width: side } });
      await tellPartials(member, step, resolution);
      await breath();
    }
    const { images, timings, warnings } = await run;
    const left = MEANINGLESS.filter((name) => work[name] !== undefined);
    const more = left.map((name) => `${name} was left out: this model draws scale by scale`);
    const drawn = images.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const both = (timings.drafter ?? 0) + (timings.refiner ?? 0);
    const about = { timings: { ...timings, model: both }, warnings: [...warnings, ...more] };
    await tellImages(member, { images, tokens: { text: 0, given: 0, drawn }, ...about }, resolution);
  } catch (error) {
    fail(error);
  }
}
