import { expect, test } from "vitest";
import {
  drawLine,
  drawRectangle,
  drawText,
  type Picture,
  paste,
  picture,
  plotCurves,
  sheet,
  textWidth,
  wrapText,
} from "./index.ts";

/** Dark pixels as text. */
const show = ({ width, height, data }: Picture) =>
  Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => (data[(y * width + x) * 3] < 128 ? "#" : ".")).join(""),
  );
const count = ({ data }: Picture, colour: number[]) => {
  let n = 0;
  for (let i = 0; i < data.length; i += 3) if (colour.every((v, c) => data[i + c] === v)) n++;
  return n;
};

test("text is drawn dot by dot, at any scale, cut off at the edges", () => {
  const target = picture(14, 8);
  drawText(target, "Hi g", 0, 0);
  expect(show(target)).toEqual([
    "#...#.#.......",
    "#...#.........",
    "#...#.#......#",
    "#####.#.....#.",
    "#...#.#.....#.",
    "#...#.#......#",
    "#...#.#.......",
    ".............#",
  ]);
  const large = picture(6, 16);
  drawText(large, "!", 2, 0, [0, 0, 0], 2);
  expect(show(large).filter((line) => line === "..##..")).toHaveLength(12);
  expect(textWidth("Hi g")).toBe(5 + 1 + 1 + 1 + 3 + 1 + 5);
  expect(textWidth("é\u{1F600}")).toBe(textWidth("e?"));
});

test("lines wrap at words, long words break", () => {
  expect(wrapText("a red cat", textWidth("a red"))).toEqual(["a red", "cat"]);
  expect(wrapText("wwww", textWidth("ww"))).toEqual(["ww", "ww"]);
  expect(wrapText("", 10)).toEqual([""]);
});

test("rectangles and lines", () => {
  const target = picture(5, 4);
  drawRectangle(target, { x: 1, y: 0, width: 4, height: 4 }, [0, 0, 0]);
  expect(show(target)).toEqual([".####", ".#..#", ".#..#", ".####"]);
  const line = picture(5, 3);
  drawLine(
    line,
    [
      [-3, 1],
      [2, 1],
    ],
    [0, 0, 0],
  );
  expect(show(line)).toEqual([".....", "###..", "....."]);
  const soft = picture(3, 3);
  drawLine(
    soft,
    [
      [0, 0.5],
      [2, 0.5],
    ],
    [0, 0, 0],
  );
  expect([soft.data[3], soft.data[12], soft.data[21]]).toEqual([128, 128, 255]);
});

test("paste cuts off what lies outside", () => {
  const pasted = (x: number, y: number) => {
    const target = picture(3, 2);
    paste(target, picture(2, 2, [0, 0, 0]), x, y);
    return show(target);
  };
  expect(pasted(-1, 1)).toEqual(["...", "#.."]);
  expect(pasted(2, -1)).toEqual(["..#", "..."]);
  expect(pasted(5, 5)).toEqual(["...", "..."]);
});

test("a sheet centres pictures in rows and leaves room for the longest caption", () => {
  const black = picture(2, 2, [0, 0, 0]);
  expect(show(sheet([black, picture(2, 1, [0, 0, 0]), black], { columns: 2, gap: 1 }))).toEqual([
    ".......",
    ".##.##.",
    ".##....",
    ".......",
    ".##....",
    ".##....",
    ".......",
  ]);
  const [upright, flat] = [picture(1, 3, [0, 0, 0]), picture(3, 1, [0, 0, 0])];
  expect(show(sheet([upright, flat], { columns: 2, gap: 0 }))).toEqual([".#....", ".#.###", ".#...."]);
  const wide = picture(40, 2, [0, 0, 0]);
  const one = sheet([wide, wide], { columns: 2, captions: ["x", "x"] }).height;
  expect(sheet([wide, wide], { columns: 2, captions: ["x", "x x x x x x x x"] }).height).toBe(one + 10);
  expect(() => sheet([])).toThrow("at least one picture");
  expect(() => sheet([black], { captions: [] })).not.toThrow();
  expect(() => sheet([black, black], { captions: ["x"] })).toThrow("2 captions");
});

test("a chart shows each curve in its colour where its values are", () => {
  const blue = [0, 114, 178];
  const chart = (y: number[], logY = false) =>
    plotCurves({ title: "t", series: [{ name: "", x: y.map((_, i) => i), y }], logY, width: 400, height: 300 });
  const middle = ({ width, data }: Picture, from = 100) => {
    const rows = [];
    for (let i = from * width * 3; i < data.length; i += 3)
      if (blue.every((v, c) => data[i + c] === v)) rows.push(Math.floor(i / 3 / width));
    return { low: Math.max(...rows), high: Math.min(...rows) };
  };
  const straight = middle(chart([0, 10]));
  expect(straight.low - straight.high).toBeGreaterThan(150);
  // On a log axis 1, 10, 100 is a straight line: as high in its first half as in its second.
  const curve = chart([1, 10, 100], true);
  expect(middle(curve)).toEqual(middle(chart([0, 10], false)));
  const gap = count(chart([1, 1, Number.NaN, 1, 1]), blue);
  const full = count(chart([1, 1, 1, 1, 1]), blue);
  expect(gap / full).toBeLessThan(0.65);
  expect(gap / full).toBeGreaterThan(0.4);
});

test("charts refuse curves that cannot be drawn", () => {
  // Names that do not fit in one row go on in the next: a curve without a point has its mark all the same.
  const names = ["a curve with a long name", "another one with a long name", "the last one"];
  const many = names.map((name, i) => ({ name, x: [0, 1], y: i < 2 ? [i, 1] : [Number.NaN, Number.NaN] }));
  const marked = plotCurves({ title: "t", series: many, width: 400, height: 300 });
  expect(count(marked, [0, 158, 115])).toBe(26 * 4);
  expect(() => plotCurves({ title: "t", series: [] })).toThrow("nothing to plot");
  expect(() => plotCurves({ title: "t", series: [{ name: "a", x: [1], y: [-1] }], logY: true })).toThrow("nothing");
  expect(() => plotCurves({ title: "t", series: [{ name: "a", x: [1], y: [] }] })).toThrow("1 x values and 0 y values");
});
