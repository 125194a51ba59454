/** Contact sheets: many pictures with captions in one. */
import { fail } from "../base/index.ts";
import { type Colour, drawText, textHeight, wrapText } from "./draw.ts";
import { type Picture, paste, picture } from "./picture.ts";

const INK: Colour = [40, 44, 52];

export interface SheetOptions {
  /** Default: as square as possible. `pictures.length` makes a strip. */
  columns?: number;
  /** Pixels between pictures and around them; default 8. */
  gap?: number;
  /** One for each picture, below it, wrapped to its width. */
  captions?: readonly string[];
  /** Size of the caption font in pixels per dot; default by the width of the pictures. */
  scale?: number;
}

/**
 * Pictures row by row on white, each centred in a cell as large as the largest of them. Errors: no pictures, another
 * number of captions.
 */
export function sheet(pictures: readonly Picture[], options: SheetOptions = {}): Picture {
  if (pictures.length === 0) fail("a sheet needs at least one picture");
  const { columns = Math.ceil(Math.sqrt(pictures.length)), gap = 8, captions = [] } = options;
  if (!(Number.isInteger(columns) && columns > 0)) fail("a sheet needs at least one column", { got: `${columns}` });
  if (captions.length > 0 && captions.length !== pictures.length)
    fail("each picture of a sheet needs its caption", {
      expected: `${pictures.length} captions`,
      got: `${captions.length}`,
    });
  const cellWidth = Math.max(...pictures.map((p) => p.width));
  const cellHeight = Math.max(...pictures.map((p) => p.height));
  const { scale = cellWidth >= 256 ? 2 : 1 } = options;
  const lineHeight = textHeight(scale) + 2 * scale;
  const texts = captions.map((caption) => wrapText(caption, cellWidth, scale));
  const rowCount = Math.ceil(pictures.length / columns);
  const captionHeights = Array.from({ length: rowCount }, (_, row) => {
    const lines = Math.max(0, ...texts.slice(row * columns, (row + 1) * columns).map((t) => t.length));
    return lines && lines * lineHeight + 2 * scale;
  });

  const tops = captionHeights.map((_, row) =>
    captionHeights.slice(0, row).reduce((y, height) => y + cellHeight + height + gap, gap),
  );
  const used = Math.min(columns, pictures.length);
  const height = tops[rowCount - 1] + cellHeight + captionHeights[rowCount - 1] + gap;
  const out = picture(gap + used * (cellWidth + gap), height);
  pictures.forEach((p, i) => {
    const x = gap + (i % columns) * (cellWidth + gap);
    const y = tops[Math.floor(i / columns)];
    paste(out, p, x + ((cellWidth - p.width) >> 1), y + ((cellHeight - p.height) >> 1));
    texts[i]?.forEach((line, n) => {
      drawText(out, line, x, y + cellHeight + 3 * scale + n * lineHeight, INK, scale);
    });
  });
  return out;
}
