/** The grids of a detector as a list of objects. */
import type { NdArray } from "../../base/index.ts";
import { type DetectorConfig, detectorGrid } from "./config.ts";

/** An object found in a picture; lengths in pixels, (x, y) is the upper left corner. */
export interface Detection {
  readonly class: string;
  /** In (0, 1). */
  readonly score: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** The likeliest colour; null: none that has a name. */
  readonly color: string | null;
}

/** Scores below this are no objects whatever one asks. */
const FLOOR = 0.05;

/**
 * Cells whose score is the highest of their class among their eight neighbours, the surest first. Of equal neighbours
 * the first in reading order counts. `centers` [C, h, w], `boxes` [4, h, w], `colors` [K, h, w], as DetectorOutputs.
 */
export function peaksOf(
  config: DetectorConfig,
  { centers, boxes, colors }: Record<"centers" | "boxes" | "colors", NdArray<"float32">>,
): Detection[] {
  const side = detectorGrid(config);
  const area = side * side;
  const found: Detection[] = [];
  const lowest = Math.log(FLOOR / (1 - FLOOR));
  for (const [c, name] of config.classes.entries()) {
    const plane = centers.data.subarray(c * area, (c + 1) * area);
    for (let cell = 0; cell < area; cell++)
      if (plane[cell] >= lowest && isPeak(plane, side, cell))
        found.push({
          class: name,
          score: 1 / (1 + Math.exp(-plane[cell])),
          ...boxAt(config, boxes.data, cell),
          color: colorAt(config, colors.data, cell),
        });
  }
  return found.sort((a, b) => b.score - a.score);
}

function isPeak(plane: Float32Array, side: number, cell: number): boolean {
  const [row, column] = [Math.floor(cell / side), cell % side];
  for (let v = Math.max(0, row - 1); v <= Math.min(side - 1, row + 1); v++)
    for (let u = Math.max(0, column - 1); u <= Math.min(side - 1, column + 1); u++) {
      const other = v * side + u;
      if (plane[other] > plane[cell] || (other < cell && plane[other] === plane[cell])) return false;
    }
  return true;
}

function boxAt({ resolution, patch }: DetectorConfig, boxes: Float32Array, cell: number) {
  const side = resolution / patch;
  const [dx, dy, width, height] = [0, 1, 2, 3].map((i) => patch * boxes[i * side * side + cell]);
  const x = patch * (cell % side) + dx - width / 2;
  const y = patch * Math.floor(cell / side) + dy - height / 2;
  return { x, y, width: Math.max(0, width), height: Math.max(0, height) };
}

function colorAt(config: DetectorConfig, colors: Float32Array, cell: number): string | null {
  const area = detectorGrid(config) ** 2;
  let best = 0;
  for (let i = 1; i <= config.colors.length; i++) if (colors[i * area + cell] > colors[best * area + cell]) best = i;
  return config.colors[best] ?? null;
}
