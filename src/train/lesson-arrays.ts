/** Lessons as arrays: pixels, and how much each token cell matters. */
import { f32, type NdArray } from "../base/index.ts";
import type { Lesson } from "./source.ts";

/** Pictures [B, 3, H, W] in [-1, 1]. */
export function pixelsOf(pictures: readonly Pick<Lesson, "pixels" | "width" | "height">[]): NdArray<"float32"> {
  const { width, height } = pictures[0];
  const plane = width * height;
  const out = f32([pictures.length, 3, height, width]);
  for (const [b, { pixels }] of pictures.entries())
    for (let c = 0; c < 3; c++)
      for (let i = 0, to = (b * 3 + c) * plane; i < plane; i++) out.data[to + i] = pixels[i * 3 + c] / 127.5 - 1;
  return out;
}

/** Weight of each token cell [B*h*w]: 1 where it touches an object, `elsewhere` on plain background. */
export function cellFocus(
  lessons: readonly Pick<Lesson, "width" | "objects">[],
  cell: number,
  elsewhere: number,
): NdArray<"float32"> {
  const side = lessons[0].width / cell;
  const out = f32([lessons.length * side * side]);
  for (const [b, { objects }] of lessons.entries()) {
    const picture = out.data.subarray(b * side * side, (b + 1) * side * side).fill(objects ? elsewhere : 1);
    for (const { x, y, size } of objects ?? [])
      for (let row = Math.floor(y / cell); row < (y + size) / cell; row++)
        for (let column = Math.floor(x / cell); column < (x + size) / cell; column++) picture[row * side + column] = 1;
  }
  return out;
}
