/** Answering in the process of a model. */
import { setImmediate as breath } from "node:timers/promises";
import type { Model } from "../../tasks/index.ts";
import { readQuestion } from "../../tasks/prompt.ts";
import { seedOr } from "../../tasks/settings.ts";
import type { DescribeWork } from "../work.ts";
import type { Member } from "./hand-over.ts";

export async function describe(model: Model, { work, signal, tell, fail }: Member<DescribeWork>): Promise<void> {
  const { task: _, image, question, ...options } = work;
  try {
    const seed = seedOr(work.seed);
    const asked = readQuestion(model, question);
    const promptTokens = model.config.showo.imageTokens + asked.ids.length;
    const run = model.describe(image, question, { ...options, seed, signal });
    for await (const { delta, draft, pass, tokens } of run) {
      tell({ kind: "text", delta, draft, pass, tokens, promptTokens, seed, warnings: asked.warnings });
      // Lets a cancellation in before the next pass.
      await breath();
    }
    const { tokensPerPass: __, ...result } = await run;
    tell({ kind: "answer", ...result, promptTokens });
  } catch (error) {
    fail(error);
  }
}
