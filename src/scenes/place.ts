/** Puts squares into the picture so that they never overlap: cuts the picture once, cuts each half across, fills. */
import type { Rng } from "../base/index.ts";
import { UNITS } from "./backgrounds.ts";

export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** Places for one to four squares, in units; from two on none is larger than half the picture. */
export const place = (rng: Rng, sizes: readonly number[], lattice: number): Spot[] =>
  spread(rng, { x: 0, y: 0, w: UNITS, h: UNITS }, sizes, lattice, rng.int(2) === 0);

function spread(rng: Rng, box: Box, sizes: readonly number[], lattice: number, sideBySide: boolean): Spot[] {
  /** A random multiple of the lattice in [0, room]. */
  const slide = (room: number) => lattice * rng.int(Math.floor(room / lattice) + 1);
  if (sizes.length === 1) {
    const [size] = sizes;
    return [{ x: box.x + slide(box.w - size), y: box.y + slide(box.h - size), size }];
  }
  const half = rng.int(2) === 0 ? Math.floor(sizes.length / 2) : Math.ceil(sizes.length / 2);
  const [first, second] = [sizes.slice(0, half), sizes.slice(half)];
  const length = sideBySide ? box.w : box.h;
  const cut = Math.max(...first) + slide(length - Math.max(...first) - Math.max(...second));
  const [one, two] = sideBySide
    ? [
        { ...box, w: cut },
        { ...box, x: box.x + cut, w: box.w - cut },
      ]
    : [
        { ...box, h: cut },
        { ...box, y: box.y + cut, h: box.h - cut },
      ];
  return [...spread(rng, one, first, lattice, !sideBySide), ...spread(rng, two, second, lattice, !sideBySide)];
}
