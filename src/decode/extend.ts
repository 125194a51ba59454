/**
 * Extrapolation (Show-o spec section 5): a picture grows by decoding a window that overlaps its edge. The grid and the
 * window are placed in one coordinate system, so all four directions are one rule.
 */
import { fail } from "../base/index.ts";
import { blank, type Canvas } from "./contract.ts";

export const DIRECTIONS = ["left", "right", "up", "down"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Image ids in rows of `width`. */
export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly ids: Int32Array;
}

/** Where the model's window of side x side cells lies on the grid; its top left cell may be off the grid. */
function place({ height, width, ids }: Grid, direction: Direction, side: number, offset: number) {
  const across = direction === "left" || direction === "right" ? height : width;
  const along = direction === "left" || direction === "right" ? width : height;
  if (ids.length !== height * width)
    fail("ids do not fill the grid", { expected: `${height} x ${width}`, got: `${ids.length} ids` });
  if (!DIRECTIONS.includes(direction))
    fail("unknown direction", { where: "direction", expected: DIRECTIONS.join(", "), got: String(direction) });
  const keep = Math.floor(side / 2) - offset;
  if (!Number.isInteger(offset) || keep < 1 || keep >= side)
    fail("bad offset", {
      where: "offset",
      expected: `a whole number that keeps 1 to ${side - 1} of ${side} cells`,
      got: `${offset}`,
    });
  if (across !== side || along < side)
    fail(`the picture cannot grow ${direction}`, {
      expected: `a grid ${side} cells ${across === height ? "high" : "wide"}, the size of the model's window`,
      got: `${height} x ${width} (height x width)`,
      hint: "A picture that has grown sideways cannot grow up or down, and the other way round.",
    });
  const top = direction === "up" ? keep - side : direction === "down" ? height - keep : 0;
  const left = direction === "left" ? keep - side : direction === "right" ? width - keep : 0;
  return { top, left };
}

/**
 * The window to decode next: floor(side/2) - offset lines of the picture are kept as context, the other cells are
 * undecided.
 */
export function extendWindow(grid: Grid, direction: Direction, side: number, offset = 0): Canvas {
  const { top, left } = place(grid, direction, side, offset);
  const window = blank(1, side * side);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      const [y, x] = [top + row, left + column];
      if (y >= 0 && y < grid.height && x >= 0 && x < grid.width)
        window.ids_BL[row * side + column] = grid.ids[y * grid.width + x];
    }
  return window;
}

/** The picture with the decoded window joined on; where they overlap the window counts. */
export function stitch(grid: Grid, direction: Direction, window: Canvas, offset = 0): Grid {
  const side = Math.sqrt(window.slots);
  if (window.rows !== 1 || !Number.isInteger(side))
    fail("not a window", { expected: "1 row of side x side cells", got: `${window.rows} x ${window.slots}` });
  const { top, left } = place(grid, direction, side, offset);
  const [y0, x0] = [Math.min(0, top), Math.min(0, left)];
  const height = Math.max(grid.height, top + side) - y0;
  const width = Math.max(grid.width, left + side) - x0;
  const ids = new Int32Array(height * width);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [y, x] = [row + y0, column + x0];
      const inside = y >= top && y < top + side && x >= left && x < left + side;
      ids[row * width + column] = inside ? window.ids_BL[(y - top) * side + x - left] : grid.ids[y * grid.width + x];
    }
  return { height, width, ids };
}
