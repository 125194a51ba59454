/**
 * Decides what an edit asks for. A mask, or transparency inside the picture: inpainting. Margins, a border that is
 * transparent on two opposite sides of a square, or a size of another shape: extrapolation.
 */
import { fail } from "../../base/index.ts";
import { crop, type Grey, type Picture, readMask, readPicture } from "../../image/index.ts";
import type { Margins } from "../../tasks/index.ts";
import type { EditWork } from "../work.ts";

export type EditPlan =
  | { task: "inpaint"; image: Picture; mask: Grey }
  | { task: "extend"; image: Picture; margins: Margins };

/** Sides may differ by that share in what counts as a square. */
const TOLERANCE = 0.02;
const isSquare = (width: number, height: number): boolean => Math.abs(width / height - 1) <= TOLERANCE;

/** Errors: nothing that says what to draw, a size that the picture cannot grow to, damaged pictures. */
export async function planEdit(work: EditWork): Promise<EditPlan> {
  const { image: bytes, mask, maskMode, margins, size } = work;
  const image = await readPicture(bytes);
  if (margins && Object.values(margins).some((pixels) => pixels)) return { task: "extend", image, margins };
  if (mask) return inpainting(image, await readMask(mask, maskMode), size);

  const alpha = await readMask(bytes, "alpha");
  const rest = opaquePart(alpha);
  if (!rest) return fail("the picture is wholly transparent", { where: "image", hint: "Leave some of it to go by." });
  const { left, right, up, down } = rest;
  const [sideways, upright] = [left + right > 0, up + down > 0];
  if (sideways !== upright && isSquare(rest.width, rest.height)) {
    const part = crop(image, left, up, rest.width, rest.height);
    return { task: "extend", image: part, margins: { left, right, up, down } };
  }
  if (alpha.data.some((value) => value > 0)) return inpainting(image, alpha, size);
  if (size && !isSquare(size.width, size.height)) return { task: "extend", image, margins: marginsFor(image, size) };
  return fail("nothing says what to draw", {
    where: "mask",
    expected:
      "a mask, transparent parts of the picture, a wider or higher size, or margins (fewstep: left, right, up, down)",
    hint: "The model draws parts anew or beyond the edges; it does not repaint whole pictures.",
  });
}

function inpainting(image: Picture, mask: Grey, size: EditWork["size"]): EditPlan {
  if (size && !isSquare(size.width, size.height))
    fail("the size is not a square", {
      where: "size",
      expected: "a square: what is drawn by a mask keeps its shape",
      got: `${size.width}x${size.height}`,
    });
  return { task: "inpaint", image, mask };
}

/** The smallest rectangle that holds everything not wholly transparent, and its distances from the edges. */
function opaquePart({ width, height, data }: Grey) {
  let [left, up, right, down] = [width, height, width, height];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (data[y * width + x] < 255) {
        left = Math.min(left, x);
        right = Math.min(right, width - 1 - x);
        up = Math.min(up, y);
        down = Math.min(down, height - 1 - y);
      }
  if (left === width) return undefined;
  return { left, right, up, down, width: width - left - right, height: height - up - down };
}

/** Equal margins on two sides that give the picture the shape of `size`. */
function marginsFor({ width, height }: Picture, size: { width: number; height: number }): Margins {
  const side = Math.min(width, height);
  const wider = size.width > size.height;
  const [long, short] = wider ? [size.width, size.height] : [size.height, size.width];
  const added = Math.round((side * long) / short) - side;
  const [before, after] = [Math.floor(added / 2), Math.ceil(added / 2)];
  return wider ? { left: before, right: after } : { up: before, down: after };
}
