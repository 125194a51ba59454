/** Pictures to what networks read and back. */
import { f32 } from "fewstep/base";
import { type Grey, type Picture, postprocess, preprocess, resizeAndCrop } from "fewstep/image";
import { z } from "zod";
import type { Case } from "../case.ts";
import type { Checks } from "../checks.ts";

/** A recorded picture [H, W, 3] or mask [H, W]. */
export function pictureOf(c: Case, field: string): Picture | Grey {
  const { shape, data } = c.get(field);
  return { height: shape[0], width: shape[1], data: data as Uint8Array };
}

export const image: Checks = {
  image_pre(c) {
    const { resolution } = c.params({ resolution: z.int() });
    const picture = pictureOf(c, "rgb");
    c.check("resized_cropped_u8", resizeAndCrop(picture, resolution).data);
    c.check("pixels", preprocess(picture, resolution));
  },

  image_post(c) {
    const { shape, data } = c.get("pixels");
    const pictures = postprocess(f32(shape, data as Float32Array));
    c.check(
      "u8",
      pictures.flatMap((picture) => Array.from(picture.data)),
    );
  },
};
