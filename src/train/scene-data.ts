/** Scenes as training batches: pixels, and how much each token cell matters. */
import { f32, type NdArray } from "../base/index.ts";
import { type Atlas, type Domain, makeScene, type Scene, type Split } from "../scenes/index.ts";

/** Where a stream of scenes starts and which it is. */
export interface SceneStream {
  atlas: Atlas;
  domain: Domain;
  seed: number;
  split: Split;
  pixels: number;
}

export const scenesFrom = (stream: SceneStream, first: number, count: number): Scene[] =>
  Array.from({ length: count }, (_, i) => makeScene(stream.atlas, stream.domain, { ...stream, index: first + i }));

/** Pictures [B, 3, H, W] in [-1, 1]. */
export function pixelsOf(
  pictures: readonly { pixels: Uint8Array; width: number; height: number }[],
): NdArray<"float32"> {
  const { width, height } = pictures[0];
  const plane = width * height;
  const out = f32([pictures.length, 3, height, width]);
  for (const [b, { pixels }] of pictures.entries())
    for (let c = 0; c < 3; c++)
      for (let i = 0, to = (b * 3 + c) * plane; i < plane; i++) out.data[to + i] = pixels[i * 3 + c] / 127.5 - 1;
  return out;
}

/** Weight of each token cell [B*h*w]: 1 where it touches an object, `elsewhere` on plain background. */
export function cellFocus(scenes: readonly Scene[], cell: number, elsewhere: number): NdArray<"float32"> {
  const side = scenes[0].width / cell;
  const out = f32([scenes.length * side * side], new Float32Array(scenes.length * side * side).fill(elsewhere));
  for (const [b, { objects }] of scenes.entries())
    for (const { x, y, size } of objects)
      for (let row = Math.floor(y / cell); row < (y + size) / cell; row++)
        for (let column = Math.floor(x / cell); column < (x + size) / cell; column++)
          out.data[(b * side + row) * side + column] = 1;
  return out;
}
