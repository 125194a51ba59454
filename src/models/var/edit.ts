/** What is kept of a picture while the rest is drawn anew (VAR spec section 5). Masks are planes of the latent's cells. */
import { fail } from "../../base/index.ts";
import { resamplePlane, scaleOffsets } from "../msvq/index.ts";

/** Edges as shares of the picture, 0 to 1. */
export interface Box {
  y0: number;
  x0: number;
  y1: number;
  x1: number;
}

/** Rounds halves to the even neighbour. */
const roundEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** 1 = keep, 0 = draw, [side, side]: what is inside the box is drawn, or what is outside. */
export function boxMask(box: Box, side: number, draw: "inside" | "outside"): Uint8Array {
  for (const [name, value] of Object.entries(box))
    if (!(value >= 0 && value <= 1))
      fail("the box leaves the picture", { where: name, expected: "a number from 0 to 1", got: `${value}` });
  if (box.y0 >= box.y1 || box.x0 >= box.x1)
    fail("the box is empty", { where: "box", expected: "y0 < y1 and x0 < x1", got: JSON.stringify(box) });
  const [top, left, bottom, right] = [box.y0, box.x0, box.y1, box.x1].map((edge) => roundEven(edge * side));
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [Math.floor(i / side), i % side];
    const inside = y >= top && y < bottom && x >= left && x < right;
    return Number(inside === (draw === "outside"));
  });
}

/** The first scales, with at most so many tokens, come from the picture whole: they hold what all of it has in common. */
const KEPT_WHOLE = 3;

/** Which tokens of all scales keep the picture's id [L]: the mask at each scale's size, above one half. */
export function keptTokens(mask: ArrayLike<number>, sides: readonly number[]): Uint8Array {
  const offsets = scaleOffsets({ sides });
  const kept = new Uint8Array(offsets[sides.length]);
  const whole = Math.sqrt(mask.length);
  for (const [scale, side] of sides.entries()) {
    if (side * side <= KEPT_WHOLE) kept.fill(1, offsets[scale], offsets[scale + 1]);
    else
      kept.set(
        resamplePlane(mask, whole, "bilinear", side).map((share) => Number(share > 0.5)),
        offsets[scale],
      );
  }
  return kept;
}

/** Keeps other maps' cells: after each scale the map is `drawn` where `mask` is 0 and the picture's own where it is 1. */
export function keepMaps(mask: ArrayLike<number>, fHats: ArrayLike<number>, scales: number) {
  const size = fHats.length / scales;
  return (fHat: Float32Array, scale: number): void => {
    for (let i = 0; i < size; i++) {
      const share = mask[i % mask.length];
      fHat[i] = (1 - share) * fHat[i] + share * fHats[scale * size + i];
    }
  };
}
