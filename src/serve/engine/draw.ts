/** Drawing in the process of a model: several requests as one batch where their settings agree. Knows no channel. */
import { setImmediate as breath } from "node:timers/promises";
import { blank } from "../../decode/index.ts";
import { gridSide } from "../../models/showo/index.ts";
// The steps of drawing one by one, because requests of a batch have seeds of their own.
import { cellsOf, denoise, drawResult, imageStep, type Row, rowsFor } from "../../tasks/drawing.ts";
import type { DrawOptions, DrawResult, ImageStep, Model } from "../../tasks/index.ts";
import { type Prompt, readPrompt } from "../../tasks/prompt.ts";
import { type DrawSettings, drawSettings } from "../../tasks/settings.ts";
import { stopwatch } from "../../tasks/timing.ts";
import type { Cells, Drawing, EditWork, GenerateWork } from "../work.ts";
import { planEdit } from "./edit.ts";
import { type Member, tellImages, tellPartials } from "./hand-over.ts";

/** A member of a batch under way. */
interface Part {
  readonly member: Member<GenerateWork>;
  readonly settings: DrawSettings;
  readonly prompt: Prompt;
  readonly rows: readonly Row[];
  last?: ImageStep;
}

/** Draws requests that share all settings but prompt, seed and number. One that is wrong or cancelled ends alone. */
export async function generateTogether(model: Model, members: readonly Member<GenerateWork>[]): Promise<void> {
  const clock = stopwatch();
  const parts = members.flatMap((member) => partOf(model, member));
  if (parts.length === 0) return;
  const side = gridSide(model.config.showo);
  const grid = { height: side, width: side };
  const rows = parts.flatMap((part) => part.rows);
  const [{ settings }] = parts;
  // A batch goes on while somebody waits for it.
  const signal = allOf(parts.map(({ member }) => member.signal));
  const waiting = () => parts.filter(({ member }) => !member.signal.aborted);
  try {
    for await (const state of denoise(model, rows, blank(rows.length, side * side), settings, { clock, signal })) {
      const cells = cellsOf(state);
      for (const part of waiting()) {
        const own = <T>(all: readonly T[]) => all.filter((_, row) => part.rows.includes(rows[row]));
        const { tokens, mask, confidence } = cells;
        const shown = { tokens: own(tokens), mask: own(mask), confidence: own(confidence) };
        part.last = imageStep(model, { index: state.pass, total: settings.steps, grid }, shown, clock);
        await tellStep(model, part.member, part.last);
      }
      // Lets a cancellation in before the next step.
      await breath();
    }
    for (const { member, last, rows, settings, prompt } of waiting()) {
      const more = { clock, warnings: prompt.warnings };
      const result = await drawResult(model, last!, rows, settings, { task: "generate" }, more);
      await tellResult(model, member, result, { text: prompt.ids.length * rows.length, given: 0 });
    }
  } catch (error) {
    for (const { member } of parts) member.fail(error);
  }
}

/** What scales have and denoising does not. */
const leftOut = ({ draftScales }: Drawing): string[] =>
  draftScales === undefined ? [] : ["draft_scales was left out: this model draws by denoising"];

/** Checks one request; what is wrong with it is its own affair. */
function partOf(model: Model, member: Member<GenerateWork>): Part[] {
  try {
    const settings = drawSettings(model.config, optionsOf(member.work));
    const read = readPrompt(model, member.work.prompt);
    const prompt = { ...read, warnings: [...read.warnings, ...leftOut(member.work)] };
    return [{ member, settings, prompt, rows: rowsFor(prompt, settings) }];
  } catch (error) {
    member.fail(error);
    return [];
  }
}

function allOf(signals: readonly AbortSignal[]): AbortSignal {
  const all = new AbortController();
  const look = () => signals.every(({ aborted }) => aborted) && all.abort();
  for (const signal of signals) signal.addEventListener("abort", look);
  look();
  return all.signal;
}

/** Inpainting or extrapolation of one picture. */
export async function edit(model: Model, member: Member<EditWork>): Promise<void> {
  const { work, signal } = member;
  try {
    const options = { ...optionsOf(work), signal };
    const plan = await planEdit(work);
    const run =
      plan.task === "inpaint"
        ? model.inpaint(plan.image, plan.mask, work.prompt, options)
        : model.extend(plan.image, { ...options, ...plan.margins, prompt: work.prompt });
    for await (const step of run) {
      await tellStep(model, member, step);
      await breath();
    }
    const result = await run;
    const text = readPrompt(model, work.prompt).ids.length * result.images.length;
    const warned = { ...result, warnings: [...result.warnings, ...leftOut(work)] };
    await tellResult(model, member, warned, { text, given: model.config.showo.imageTokens });
  } catch (error) {
    member.fail(error);
  }
}

const optionsOf = ({ steps, guidance, topK, temperature, seed, n, schedule }: Drawing): DrawOptions => ({
  ...{ steps, guidance, topK, temperature, seed, n },
  schedule: schedule as DrawOptions["schedule"],
});

async function tellStep(model: Model, member: Member<Drawing>, step: ImageStep): Promise<void> {
  const { work, tell } = member;
  const { index, total, grid, tokens, mask, confidence } = step;
  const cells = (row: number): Cells => ({ tokens: tokens[row], mask: mask[row], confidence: confidence[row] });
  tell({ kind: "step", index, total, grid, images: work.cells ? tokens.map((_, row) => cells(row)) : undefined });
  await tellPartials(member, step, model.config.magvit.resolution);
}

async function tellResult(
  model: Model,
  member: Member<Drawing>,
  { images, timings, warnings }: DrawResult,
  given: { text: number; given: number },
): Promise<void> {
  const drawn = images.reduce((n, image) => n + image.tokens.length, 0);
  const about = { tokens: { ...given, drawn }, timings, warnings };
  await tellImages(member, { images, ...about }, model.config.magvit.resolution);
}
