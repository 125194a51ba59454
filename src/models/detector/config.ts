/** Sizes of a detector, and the names of what it tells apart. It knows no scenes. */

export interface DetectorConfig {
  model: "detector";
  /** Pixels per side of a picture. */
  resolution: number;
  /** Pixels per side of a cell of the grid that objects are found on. */
  patch: number;
  /** Channels on the grid, and on one of half its side. */
  width: number;
  deepWidth: number;
  /** Residual blocks on the grid, before and after the deeper ones; and those of half its side. */
  blocks: readonly [before: number, after: number];
  deepBlocks: number;
  /** Group norm groups. */
  groups: number;
  classes: readonly string[];
  /** Colours an object may have; one more output stands for "none of these". */
  colors: readonly string[];
}

/** 0.44 M parameters with the 64 classes and 10 colours of the scenes. */
export const DETECTOR_SIZES = {
  model: "detector",
  resolution: 64,
  patch: 4,
  width: 48,
  deepWidth: 96,
  blocks: [1, 1],
  deepBlocks: 2,
  groups: 8,
} as const satisfies Omit<DetectorConfig, "classes" | "colors">;

/** Cells per side. */
export const detectorGrid = ({ resolution, patch }: DetectorConfig): number => resolution / patch;
