/** Contact sheets: many pictures in one, to look at. */
import { fail } from "../base/index.ts";

export interface Picture {
  /** RGB bytes, [height, width, 3]. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

const PAPER = 255;

/** Pictures of one size in rows of `columns`, each enlarged a whole number of times, `gap` pixels of white between. */
export function sheet(
  pictures: readonly Picture[],
  { columns = 8, enlarge = 1, gap = 4 }: { columns?: number; enlarge?: number; gap?: number } = {},
): Picture {
  if (pictures.length === 0) fail("a contact sheet needs at least one picture");
  const { width, height } = pictures[0];
  const odd = pictures.find((p) => p.width !== width || p.height !== height);
  if (odd)
    fail("pictures of a contact sheet differ in size", {
      expected: `${width}x${height}`,
      got: `${odd.width}x${odd.height}`,
    });
  const step = { x: width * enlarge + gap, y: height * enlarge + gap };
  const across = Math.min(columns, pictures.length) * step.x - gap;
  const down = Math.ceil(pictures.length / columns) * step.y - gap;
  const out = new Uint8Array(across * down * 3).fill(PAPER);
  pictures.forEach(({ pixels }, i) => {
    const left = (i % columns) * step.x;
    const top = Math.floor(i / columns) * step.y;
    for (let y = 0; y < height * enlarge; y++)
      for (let x = 0; x < width * enlarge; x++) {
        const from = (Math.floor(y / enlarge) * width + Math.floor(x / enlarge)) * 3;
        out.set(pixels.subarray(from, from + 3), ((top + y) * across + left + x) * 3);
      }
  });
  return { pixels: out, width: across, height: down };
}
