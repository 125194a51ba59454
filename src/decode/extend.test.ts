/** Growing pictures in all four directions, checked against drawings. */
import { expect, test } from "vitest";
import { canvasOf, DIRECTIONS, type Direction, extendWindow, type Grid, stitch, UNDECIDED } from "./index.ts";

const grid: Grid = { height: 4, width: 4, ids: Int32Array.from({ length: 16 }, (_, i) => i) };
const shown = (ids: Int32Array, width: number) =>
  Array.from({ length: ids.length / width }, (_, row) =>
    [...ids.subarray(row * width, row * width + width)].map((id) => (id === UNDECIDED ? "." : id)).join(" "),
  );
/** A decoded window: what was kept, and 99 in every new cell. */
const decided = (direction: Direction, offset: number) => {
  const window = extendWindow(grid, direction, 4, offset);
  return canvasOf(
    1,
    16,
    window.ids_BL.map((id) => (id === UNDECIDED ? 99 : id + 20)),
  );
};

test.each([
  ["left", 0, ["20 21 2 3", "24 25 6 7", "28 29 10 11", "32 33 14 15"].map((row) => `99 99 ${row}`)],
  ["left", 1, ["20 1 2 3", "24 5 6 7", "28 9 10 11", "32 13 14 15"].map((row) => `99 99 99 ${row}`)],
  ["right", 1, ["0 1 2 23", "4 5 6 27", "8 9 10 31", "12 13 14 35"].map((row) => `${row} 99 99 99`)],
  ["up", -1, ["99 99 99 99", "20 21 22 23", "24 25 26 27", "28 29 30 31", "12 13 14 15"]],
  ["down", 0, ["0 1 2 3", "4 5 6 7", "28 29 30 31", "32 33 34 35", "99 99 99 99", "99 99 99 99"]],
] as const)("%s with offset %d", (direction, offset, want) => {
  const grown = stitch(grid, direction, decided(direction, offset), offset);
  expect(shown(grown.ids, grown.width)).toEqual(want);
});

test("windows hold the near half and open the rest", () => {
  expect(shown(extendWindow(grid, "down", 4).ids_BL, 4)).toEqual(["8 9 10 11", "12 13 14 15", ". . . .", ". . . ."]);
  expect(shown(extendWindow(grid, "right", 4, 1).ids_BL, 4)).toEqual(["3 . . .", "7 . . .", "11 . . .", "15 . . ."]);
});

test("mirrored pictures grow into mirrored pictures", () => {
  const turn = ({ height, width, ids }: Grid): Grid => ({ height, width, ids: ids.slice().reverse() });
  const opposite = { left: "right", right: "left", up: "down", down: "up" } as const;
  for (const direction of DIRECTIONS) {
    const window = decided(direction, 0);
    const turned = canvasOf(1, 16, window.ids_BL.slice().reverse());
    expect(turn(stitch(grid, direction, window))).toEqual(stitch(turn(grid), opposite[direction], turned));
  }
});

test("pictures that do not fit the window are refused", () => {
  const wide = stitch(grid, "left", decided("left", 0));
  expect([wide.height, wide.width]).toEqual([4, 6]);
  expect(() => extendWindow(wide, "up", 4)).toThrow(/cannot grow up/);
  expect(() => extendWindow(grid, "up", 8)).toThrow(/window/);
  for (const offset of [2, -2, 0.5, Number.NaN]) expect(() => extendWindow(grid, "up", 4, offset)).toThrow(/offset/);
  expect(() => extendWindow(grid, "sideways" as "up", 4)).toThrow(/left, right, up, down/);
  expect(() => stitch(grid, "up", canvasOf(1, 3, new Int32Array(3)))).toThrow(/not a window/);
  expect(() => extendWindow({ ...grid, width: 5 }, "up", 4)).toThrow(/4 x 5/);
});
