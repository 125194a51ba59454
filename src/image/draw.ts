/** Text, lines and rectangles on pictures, in place. What falls outside the picture is cut off. */
import { GLYPH_HEIGHT, glyphsOf } from "./font.ts";
import { type Picture, picture } from "./picture.ts";
import { resize } from "./resize.ts";

export type Colour = readonly [red: number, green: number, blue: number];

export const BLACK: Colour = [0, 0, 0];

/** Mixes `colour` into one pixel; `alpha` 1 covers it. */
function blend({ width, height, data }: Picture, x: number, y: number, colour: Colour, alpha = 1): void {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const at = (y * width + x) * 3;
  for (let c = 0; c < 3; c++) data[at + c] += Math.round((colour[c] - data[at + c]) * alpha);
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export function fillRectangle(target: Picture, { x, y, width, height }: Box, colour: Colour, alpha = 1): void {
  for (let row = y; row < y + height; row++)
    for (let column = x; column < x + width; column++) blend(target, column, row, colour, alpha);
}

/** Outline whose outer edge is the box. */
export function drawRectangle(target: Picture, { x, y, width, height }: Box, colour: Colour, thickness = 1): void {
  const side = height - 2 * thickness;
  fillRectangle(target, { x, y, width, height: thickness }, colour);
  fillRectangle(target, { x, y: y + height - thickness, width, height: thickness }, colour);
  fillRectangle(target, { x, y: y + thickness, width: thickness, height: side }, colour);
  fillRectangle(target, { x: x + width - thickness, y: y + thickness, width: thickness, height: side }, colour);
}

/** Smooth line through points with round joints; coordinates may be fractions (pixel centres are whole numbers). */
export function drawLine(
  target: Picture,
  points: readonly (readonly [x: number, y: number])[],
  colour: Colour,
  thickness = 1,
): void {
  // The nearest segment decides a pixel, so that joints are not painted twice.
  const coverage = new Map<number, number>();
  const reach = thickness / 2 + 0.5;
  const stroke = points.length === 1 ? [points[0], points[0]] : points;
  for (let i = 1; i < stroke.length; i++) {
    const [x0, y0] = stroke[i - 1];
    const [x1, y1] = stroke[i];
    const length2 = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    const bottom = Math.min(target.height - 1, Math.floor(Math.max(y0, y1) + reach));
    const right = Math.min(target.width - 1, Math.floor(Math.max(x0, x1) + reach));
    for (let y = Math.max(0, Math.ceil(Math.min(y0, y1) - reach)); y <= bottom; y++)
      for (let x = Math.max(0, Math.ceil(Math.min(x0, x1) - reach)); x <= right; x++) {
        const along = length2 && Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length2));
        const distance = Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
        const covered = Math.min(1, reach - distance);
        const at = y * target.width + x;
        if (covered > (coverage.get(at) ?? 0)) coverage.set(at, covered);
      }
  }
  for (const [at, alpha] of coverage) blend(target, at % target.width, Math.floor(at / target.width), colour, alpha);
}

/** Width in pixels of a line of text. */
export const textWidth = (text: string, scale = 1): number =>
  glyphsOf(text).reduce((x, { width }) => x + (width + 1) * scale, -scale);

/** Height in pixels of a line of text, descenders included. */
export const textHeight = (scale = 1): number => GLYPH_HEIGHT * scale;

/** Draws one line of text whose upper left corner is (x, y); one dot of the font is `scale` pixels wide. */
export function drawText(target: Picture, text: string, x: number, y: number, colour = BLACK, scale = 1): void {
  for (const { width, rows } of glyphsOf(text)) {
    rows.forEach((row, j) => {
      row.forEach((on, i) => {
        if (on) fillRectangle(target, { x: x + i * scale, y: y + j * scale, width: scale, height: scale }, colour);
      });
    });
    x += (width + 1) * scale;
  }
}

/** Words of `text` in lines no wider than `width` pixels; a longer word is broken. */
export function wrapText(text: string, width: number, scale = 1): string[] {
  const lines = [""];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.length - 1;
    const joined = lines[last] ? `${lines[last]} ${word}` : word;
    if (textWidth(joined, scale) <= width) lines[last] = joined;
    else {
      if (lines[last]) lines.push("");
      for (const c of word) {
        if (lines.at(-1) && textWidth(lines.at(-1) + c, scale) > width) lines.push("");
        lines[lines.length - 1] += c;
      }
    }
  }
  return lines;
}

/** The picture enlarged for looking at: whole factors repeat pixels, others use bicubic. */
export function enlarge(source: Picture, width: number, height: number): Picture {
  const across = width / source.width;
  const down = height / source.height;
  if (!Number.isInteger(across) || !Number.isInteger(down)) return resize(source, width, height);
  const out = picture(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / down) * source.width + Math.floor(x / across)) * 3;
      const to = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) out.data[to + c] = source.data[from + c];
    }
  return out;
}
