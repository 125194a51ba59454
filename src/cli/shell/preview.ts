/** A small picture in a terminal: two pixels a character, as upper half blocks in 24-bit colours. */
import { type Picture, resize } from "../../image/index.ts";

/** Lines of text, ending in a newline; `columns` characters wide. */
export function preview(source: Picture, columns = 32): string {
  const rows = Math.max(2, 2 * Math.round((columns * source.height) / source.width / 2));
  const { data } = resize(source, columns, rows);
  const colour = (x: number, y: number) => data.subarray((y * columns + x) * 3, (y * columns + x) * 3 + 3).join(";");
  let text = "";
  for (let y = 0; y < rows; y += 2) {
    for (let x = 0; x < columns; x++) text += `\x1b[38;2;${colour(x, y)}m\x1b[48;2;${colour(x, y + 1)}m\u2580`;
    text += "\x1b[0m\n";
  }
  return text;
}
