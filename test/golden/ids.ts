/** Ids as the sets record them, whole sequences of one vocabulary, to what our functions take. */
import { type Canvas, canvasOf } from "fewstep/decode";
import { codesOf, IGNORE, type ShowoConfig } from "fewstep/models/showo";

export const codesIn = (config: ShowoConfig, rows: readonly number[][]): number[][] =>
  rows.map((ids) => codesOf(config, ids));

export const labelCodesIn = (config: ShowoConfig, rows: readonly number[][]): number[][] =>
  rows.map((ids) => ids.map((id) => (id === IGNORE ? IGNORE : codesOf(config, [id])[0])));

/** The picture in text-to-image rows. */
export const picturesIn = (config: ShowoConfig, rows: readonly number[][]): number[][] => {
  const start = config.maxTextTokens + 2;
  return codesIn(
    config,
    rows.map((ids) => ids.slice(start, start + config.imageTokens)),
  );
};

/** The picture in rows of image to text: behind the task token and soi. */
export const seenPicturesIn = (config: ShowoConfig, rows: readonly number[][]): number[][] =>
  codesIn(
    config,
    rows.map((ids) => ids.slice(2, 2 + config.imageTokens)),
  );

export const canvasFrom = (pictures: readonly number[][]): Canvas =>
  canvasOf(pictures.length, pictures[0].length, Int32Array.from(pictures.flat()));

/** One array for each row of a canvas. */
export const rowsOf = ({ rows, slots, ids_BL }: Canvas): Int32Array[] =>
  Array.from({ length: rows }, (_, b) => ids_BL.subarray(b * slots, (b + 1) * slots));
