/** Omni-attention: who may attend to whom (Show-o spec section 4). Boolean [B, L, L], true = may attend. */
import { bool, f32, type NdArray } from "../../base/index.ts";
import type { Vocabulary } from "./sequence.ts";

type Rows = readonly ArrayLike<number>[];

/**
 * Text to image and pure text: text is causal, image cells (with soi and eoi) see everything.
 * `hidePads`: rows that matter never see padding (rows have one soi each).
 */
export function predictNextMask(
  rows: Rows,
  { pad, soi, eoi }: Vocabulary,
  { hidePads }: { hidePads: boolean },
): NdArray<"bool"> {
  const length = rows[0].length;
  const mask = bool([rows.length, length, length], new Uint8Array(rows.length * length * length));
  for (const [b, ids] of rows.entries()) {
    const isImage = imageColumns(ids, soi, eoi);
    let afterPads = 0;
    for (let j = 0; j < length; j++) if (ids[j] === pad) afterPads = j + 1;
    for (let i = 0; i < length; i++) {
      const row = mask.data.subarray((b * length + i) * length, (b * length + i + 1) * length);
      for (let j = 0; j < length; j++) row[j] = Number(isImage[i] || j <= i);
      if (!hidePads) continue;
      if (isImage[i]) for (let j = 0; j < length; j++) row[j] &= Number(ids[j] !== pad);
      else if (i >= afterPads) row.fill(0, 0, afterPads);
    }
  }
  return mask;
}

function imageColumns(ids: ArrayLike<number>, soi: number, eoi: number): boolean[] {
  let open = 0;
  return Array.from(ids, (id) => {
    if (id === soi) open++;
    if (id === eoi) open--;
    return open > 0 || id === soi || id === eoi;
  });
}

/** Image to text: causal, and everything up to the first eoi of each row is visible to all of that row. */
export function understandingMask(rows: Rows, { eoi }: Vocabulary): NdArray<"bool"> {
  const length = rows[0].length;
  const mask = bool([rows.length, length, length], new Uint8Array(rows.length * length * length));
  for (const [b, ids] of rows.entries()) {
    const prefix = Array.from(ids).indexOf(eoi) + 1;
    for (let i = 0; i < length; i++)
      mask.data.fill(1, (b * length + i) * length, (b * length + i) * length + Math.max(prefix, i + 1));
  }
  return mask;
}

/**
 * The CLIP variants: causal, and the image features visible to all. `showSystem`: the columns before them too, as in
 * Show-o Turbo.
 */
export function clipMask(length: number, systemLength: number, features: number, showSystem: boolean): NdArray<"bool"> {
  const start = showSystem ? 0 : systemLength + 2;
  const end = systemLength + 2 + features;
  const mask = bool([1, length, length], new Uint8Array(length * length));
  for (let i = 0; i < length; i++) {
    mask.data.fill(1, i * length, i * length + i + 1);
    mask.data.fill(1, i * length + start, i * length + end);
  }
  return mask;
}

/** 0 where allowed, -2^63 (the published value for int64 ids) where blocked; [B, 1, L, L] as attention adds it. */
export function additiveMask(mask: NdArray<"bool">, blocked = -(2 ** 63)): NdArray<"float32"> {
  const [batch, rows, columns] = mask.shape;
  const out = f32([batch, 1, rows, columns]);
  for (let i = 0; i < out.data.length; i++) if (!mask.data[i]) out.data[i] = blocked;
  return out;
}
