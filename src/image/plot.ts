/** Line charts, for training curves. Knows nothing of training. */
import { fail } from "../base/index.ts";
import { type Colour, drawLine, drawText, fillRectangle, textHeight, textWidth } from "./draw.ts";
import { type Picture, picture } from "./picture.ts";

export interface Series {
  name: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
}

export interface Chart {
  title: string;
  series: readonly Series[];
  xLabel?: string;
  logY?: boolean;
  width?: number;
  height?: number;
}

/** Okabe and Ito's palette, told apart also by colour-blind people; yellow and black left out. */
const PALETTE: Colour[] = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [230, 159, 0],
];
const INK: Colour = [40, 44, 52];
const SOFT: Colour = [105, 112, 122];
const GRID: Colour = [228, 231, 235];
const SCALE = 2;

/** Values from pixel `from` to pixel `to`. */
interface Axis {
  ticks: number[];
  label(value: number): string;
  pixel(value: number): number;
}

/** 0.30000000000000004 to "0.3", 20000 to "20k", 0.0003 to "3e-4". */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-3)) return value.toExponential(3).replace(/\.?0*e\+?/, "e");
  const [divisor, unit] = size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  return `${Number((value / divisor).toPrecision(6))}${unit}`;
}

function linearAxis(values: number[], from: number, to: number, count: number): Axis {
  let [low, high] = extent(values);
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const start = first * step;
  return {
    ticks,
    label: short,
    pixel: (value) => from + ((value - start) / ((last - first) * step)) * (to - from),
  };
}

function logAxis(values: number[], from: number, to: number): Axis {
  const [low, high] = extent(values.map(Math.log10));
  const first = Math.floor(low);
  const last = Math.max(first + 1, Math.ceil(high));
  const multiples = last - first <= 2 ? [1, 2, 5] : [1];
  const decades = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return {
    ticks: decades.flatMap((d) => (d === last ? [10 ** d] : multiples.map((m) => m * 10 ** d))),
    label: short,
    pixel: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from),
  };
}

/** Least and greatest value; a plain loop because a curve may have more points than a call takes arguments. */
function extent(values: number[]): [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const v of values) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return [low, high];
}

/**
 * Draws curves with axes, grid and legend. Values that cannot be shown (NaN, infinity, not positive under `logY`) leave
 * a gap. Errors: x and y of different lengths, nothing to show.
 */
export function plotCurves({ title, series, xLabel = "", logY = false, width = 1200, height = 720 }: Chart): Picture {
  const shown = (y: number) => Number.isFinite(y) && (!logY || y > 0);
  const curves = series.map(({ name, x, y }) => {
    if (x.length !== y.length)
      fail(`curve "${name}" has ${x.length} x values and ${y.length} y values`, { where: title });
    return { name, points: Array.from(x, (value, i) => [value, y[i]] as const) };
  });
  const all = curves.flatMap(({ points }) => points.filter(([x, y]) => Number.isFinite(x) && shown(y)));
  if (all.length === 0) fail("there is nothing to plot", { where: title, expected: "at least one finite value" });

  const line = textHeight(SCALE);
  const legend = legendOf(
    curves.map(({ name }) => name),
    width - WIDEST_LABELS - 40,
  );
  const rows = 1 + Math.max(...legend.map(({ row }) => row));
  const top = 20 + (2 + rows) * line + (rows - 1) * LEGEND_GAP + 28;
  const bottom = height - 20 - line - (xLabel ? line + 12 : 0);
  const ys = all.map(([, y]) => y);
  const yAxis = logY ? logAxis(ys, bottom, top) : linearAxis(ys, bottom, top, (bottom - top) / 70);
  const left = 28 + Math.max(...yAxis.ticks.map((tick) => textWidth(yAxis.label(tick), SCALE)));
  const right = width - 40;
  const xAxis = linearAxis(
    all.map(([x]) => x),
    left,
    right,
    (right - left) / 130,
  );

  const out = picture(width, height);
  drawText(out, title, left, 20, INK, SCALE + 1);
  for (const [i, { name, x, row }] of legend.entries()) {
    const y = 20 + 2 * line + row * (line + LEGEND_GAP);
    fillRectangle(out, { x: left + x, y: y + 2 * SCALE, width: 26, height: 4 }, PALETTE[i % PALETTE.length]);
    drawText(out, name, left + x + 34, y, INK, SCALE);
  }
  for (const tick of yAxis.ticks) {
    const y = Math.round(yAxis.pixel(tick));
    const label = yAxis.label(tick);
    fillRectangle(out, { x: left, y, width: right - left, height: 1 }, GRID);
    drawText(out, label, left - 10 - textWidth(label, SCALE), y - 3 * SCALE, SOFT, SCALE);
  }
  for (const tick of xAxis.ticks) {
    const x = Math.round(xAxis.pixel(tick));
    const label = xAxis.label(tick);
    fillRectangle(out, { x, y: bottom, width: 1, height: 6 }, SOFT);
    drawText(out, label, x - (textWidth(label, SCALE) >> 1), bottom + 12, SOFT, SCALE);
  }
  fillRectangle(out, { x: left, y: bottom, width: right - left, height: 1 }, SOFT);
  drawText(out, xLabel, left + ((right - left - textWidth(xLabel, SCALE)) >> 1), bottom + 20 + line, SOFT, SCALE);

  curves.forEach(({ points }, i) => {
    let run: [number, number][] = [];
    const finish = () => {
      if (run.length) drawLine(out, run, PALETTE[i % PALETTE.length], 2.5);
      run = [];
    };
    for (const [x, y] of points)
      if (Number.isFinite(x) && shown(y)) run.push([xAxis.pixel(x), yAxis.pixel(y)]);
      else finish();
    finish();
  });
  return out;
}

/** Room that is kept for the numbers of the y axis, beside which the legend begins. */
const WIDEST_LABELS = 160;
const LEGEND_GAP = 8;

/** Where each name stands, in as many rows as they need. */
function legendOf(names: readonly string[], room: number): { name: string; x: number; row: number }[] {
  let [x, row] = [0, 0];
  return names.map((name) => {
    const taken = 34 + textWidth(name, SCALE);
    if (x > 0 && x + taken > room) [x, row] = [0, row + 1];
    const place = { name, x, row };
    x += taken + 28;
    return place;
  });
}
