/**
 * A picture grows beyond its edges: window by window at one edge, each keeping some of the picture as context and
 * deciding the rest (Show-o spec section 5). Left and right may be combined, and up and down.
 */
import { fail } from "../base/index.ts";
import { type Canvas, canvasOf, type Direction, extendWindow, type Grid, stitch } from "../decode/index.ts";
import { downsampling } from "../models/magvit/index.ts";
import { gridSide } from "../models/showo/index.ts";
import {
  cellsOf,
  type DrawResult,
  type DrawRun,
  denoise,
  drawResult,
  type ImageStep,
  imageStep,
  rowsFor,
  type StepCells,
} from "./drawing.ts";
import type { ShowoModel } from "./model.ts";
import { type ImageLike, imageTokens, readImage } from "./picture.ts";
import { readPrompt } from "./prompt.ts";
import { createRun } from "./run.ts";
import { type DrawOptions, drawSettings } from "./settings.ts";
import { stopwatch } from "./timing.ts";

/**
 * Pixels to add at each edge, in the scale of the given picture, rounded up to whole cells: a cell is one part of its
 * shorter side cut into as many parts as the model's grid has.
 */
export type Margins = Partial<Record<Direction, number>>;

export interface ExtendOptions extends DrawOptions, Margins {
  /** What the new parts show; empty lets the picture decide. */
  prompt?: string;
}

/** Pictures that many times as wide or high as the model's window are the limit. */
const MAX_WINDOWS = 16;

/**
 * Extends a picture. One that is not square is cut to its middle first. Errors: no margin, margins both sideways and up
 * or down, beyond 16 times the picture's side; as `generateImage`.
 */
export function extend(model: ShowoModel, image: ImageLike, options: ExtendOptions): DrawRun {
  return createRun((signal) => grow(model, image, options, signal), options.signal);
}

async function* grow(
  model: ShowoModel,
  image: ImageLike,
  options: ExtendOptions,
  signal: AbortSignal,
): AsyncGenerator<ImageStep, DrawResult> {
  const clock = stopwatch();
  const settings = drawSettings(model.config, options);
  const text = readPrompt(model, options.prompt ?? "");
  const picture = await readImage(image);
  const { magvit, showo } = model.config;
  const side = gridSide(showo);
  const margins = cellsToAdd(options, Math.min(picture.width, picture.height) / side, side);
  const rounds = margins.flatMap(([direction, cells]) => roundsFor(direction, cells, side));
  const ids = await clock.measure("encode", () => imageTokens(model, picture));

  const rows = rowsFor(text, settings);
  let grids: Grid[] = rows.map(() => ({ height: side, width: side, ids }));
  const total = rounds.length * settings.steps;
  let last: ImageStep | undefined;
  for (const [round, { direction, offset }] of rounds.entries()) {
    const windows = together(grids.map((grid) => extendWindow(grid, direction, side, offset)));
    let grown = grids;
    for await (const state of denoise(model, rows, windows, settings, { clock, signal, round })) {
      const step = cellsOf(state);
      const joined = grids.map((grid, row) => join(grid, direction, offset, step, row));
      grown = joined.map((one) => one.grid);
      const cells = {
        tokens: grown.map((grid) => grid.ids),
        mask: joined.map((one) => one.mask),
        confidence: joined.map((one) => one.confidence),
      };
      const { height, width } = grown[0];
      const index = round * settings.steps + state.pass;
      last = imageStep(model, { index, total, grid: { height, width } }, cells, clock);
      yield last;
    }
    grids = grown;
  }

  const factor = downsampling(magvit);
  const added = Object.fromEntries(margins.map(([direction, cells]) => [direction, cells * factor]));
  const warnings = [...text.warnings];
  if (picture.width !== picture.height) warnings.push("the picture is not square; its middle square was extended");
  return drawResult(model, last!, rows, settings, { task: "extend", ...added }, { clock, warnings });
}

/** Whole cells for each direction asked for; `cell` is the side of a cell in pixels of the picture. */
function cellsToAdd(margins: Margins, cell: number, side: number): [Direction, number][] {
  const asked = (["left", "right", "up", "down"] as const).flatMap((direction): [Direction, number][] => {
    const pixels = margins[direction] ?? 0;
    if (!(Number.isInteger(pixels) && pixels >= 0 && pixels <= MAX_WINDOWS * side * cell))
      fail("bad margin", {
        where: direction,
        expected: `a whole number of pixels from 0 to ${MAX_WINDOWS * side * cell}, ${MAX_WINDOWS} times the picture`,
        got: `${pixels}`,
      });
    return pixels ? [[direction, Math.ceil(pixels / cell)]] : [];
  });
  const sideways = asked.filter(([direction]) => direction === "left" || direction === "right").length;
  if (asked.length === 0)
    fail("no margin to add", { expected: `left, right, up or down, in pixels; cells are ${cell} pixels wide` });
  if (sideways > 0 && sideways < asked.length)
    fail("a picture grows sideways or up and down, not both", {
      got: asked.map(([direction]) => direction).join(", "),
      hint: "The model's window is a square and must lie on an edge of its own length.",
    });
  return asked;
}

/** Rounds that each add at most half a window, so that at least half of it is context. */
function roundsFor(direction: Direction, cells: number, side: number): { direction: Direction; offset: number }[] {
  const most = side - Math.floor(side / 2);
  return Array.from({ length: Math.ceil(cells / most) }, (_, i) => {
    const added = Math.min(most, cells - i * most);
    return { direction, offset: added - most };
  });
}

/** Windows of one row each as one canvas. */
const together = (windows: readonly Canvas[]): Canvas =>
  canvasOf(windows.length, windows[0].slots, Int32Array.from(windows.flatMap(({ ids_BL }) => [...ids_BL])));

/** The picture with its window joined on: tokens, and where the window lies what its step says of the cells. */
function join(grid: Grid, direction: Direction, offset: number, cells: StepCells, row: number) {
  const slots = cells.tokens[row].length;
  const place = (on: Grid, window: Int32Array) => stitch(on, direction, canvasOf(1, slots, window), offset);
  const slotOf = place(
    { ...grid, ids: grid.ids.map(() => -1) },
    Int32Array.from({ length: slots }, (_, i) => i),
  ).ids;
  return {
    grid: place(grid, cells.tokens[row]),
    mask: Uint8Array.from(slotOf, (slot) => (slot < 0 ? 0 : cells.mask[row][slot])),
    confidence: Float32Array.from(slotOf, (slot) => (slot < 0 ? 1 : cells.confidence[row][slot])),
  };
}
