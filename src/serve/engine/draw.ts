/** Drawing in the process of a model: several requests as one batch where their settings agree. Knows no channel. */
import { setImmediate as breath } from "node:timers/promises";
import { blank } from "../../decode/index.ts";
import { encodePicture } from "../../image/index.ts";
import { gridSide } from "../../models/showo/index.ts";
// The steps of drawing one by one, because requests of a batch have seeds of their own.
import { cellsOf, denoise, drawResult, imageStep, type Row, rowsFor } from "../../tasks/drawing.ts";
import { type DrawOptions, type DrawResult, type ImageStep, type Model, resized } from "../../tasks/index.ts";
import { type Prompt, readPrompt } from "../../tasks/prompt.ts";
import { type DrawSettings, drawSettings } from "../../tasks/settings.ts";
import { stopwatch } from "../../tasks/timing.ts";
import type { Cells, Drawing, EditWork, GenerateWork, WorkEvent } from "../work.ts";
import { planEdit } from "./edit.ts";

/** One request of a batch. */
export interface Member<W> {
  work: W;
  signal: AbortSignal;
  tell(event: WorkEvent): void;
  fail(error: unknown): void;
}

/** Small pictures are handed over at least this large. */
const SHOWN_SIZE = 256;

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

/** Checks one request; what is wrong with it is its own affair. */
function partOf(model: Model, member: Member<GenerateWork>): Part[] {
  try {
    const settings = drawSettings(model.config, optionsOf(member.work));
    const prompt = readPrompt(model, member.work.prompt);
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
    await tellResult(model, member, result, { text, given: model.config.showo.imageTokens });
  } catch (error) {
    member.fail(error);
  }
}

const optionsOf = ({ steps, guidance, topK, temperature, seed, n, schedule }: Drawing): DrawOptions => ({
  ...{ steps, guidance, topK, temperature, seed, n },
  schedule: schedule as DrawOptions["schedule"],
});

/** Which steps are shown: `count` of them, spread evenly over those before the last. */
export const shownSteps = (total: number, count: number): Set<number> =>
  new Set(
    Array.from({ length: count }, (_, i) => Math.round((total * (i + 1)) / (count + 1))).filter(
      (index) => index >= 1 && index < total,
    ),
  );

async function tellStep(model: Model, { work, tell }: Member<Drawing>, step: ImageStep): Promise<void> {
  const { index, total, grid, tokens, mask, confidence } = step;
  const cells = (row: number): Cells => ({ tokens: tokens[row], mask: mask[row], confidence: confidence[row] });
  tell({ kind: "step", index, total, grid, images: work.cells ? tokens.map((_, row) => cells(row)) : undefined });
  if (!shownSteps(total, work.partials).has(index)) return;
  for (const row of tokens.keys()) {
    const shown = resized(await step.image(row), shorterSide(model, work));
    const bytes = await encodePicture(shown, work.format, { quality: work.quality });
    tell({ kind: "partial", index, total, image: row, bytes, width: shown.width, height: shown.height });
  }
}

async function tellResult(
  model: Model,
  { work, tell }: Member<Drawing>,
  { images, timings, warnings }: DrawResult,
  tokens: { text: number; given: number },
): Promise<void> {
  const size = shorterSide(model, work);
  const drawn = await Promise.all(
    images.map(async (image) => {
      const { width, height } = resized(image, size);
      const bytes = await image.encode(work.format, { size, quality: work.quality });
      return { bytes, width, height, settings: image.settings };
    }),
  );
  const count = images.reduce((n, image) => n + image.tokens.length, 0);
  tell({ kind: "images", images: drawn, tokens: { ...tokens, drawn: count }, timings, warnings });
}

const shorterSide = (model: Model, { size }: Drawing): number =>
  size ? Math.min(size.width, size.height) : Math.max(SHOWN_SIZE, model.config.magvit.resolution);
