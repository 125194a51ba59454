/** The ten GenEval colours and how a sprite takes one. Works on one sprite; knows no classes. */

export type Rgb = readonly [number, number, number];

export const COLORS = {
  red: [222, 36, 36],
  orange: [245, 134, 24],
  yellow: [252, 216, 40],
  green: [38, 160, 58],
  blue: [32, 104, 222],
  purple: [130, 56, 182],
  pink: [252, 134, 190],
  brown: [126, 80, 46],
  black: [44, 44, 48],
  white: [244, 244, 244],
} as const satisfies Record<string, Rgb>;

export type Color = keyof typeof COLORS;
export const COLOR_NAMES = Object.keys(COLORS) as Color[];

/** Which part of a sprite changes colour: the hue that fills most of it, or everything grey and white. */
export type Paint = "hue" | "grey";

const DEGREES = 360;
/** Hues this close to the dominant one change fully; those twice as far not at all. */
const HUE_REACH = 24;
/** How far the darkest and lightest parts may leave the target colour. */
const SHADE = 0.85;
const SHINE = 0.75;

const luma = (r: number, g: number, b: number) => 0.299 * r + 0.587 * g + 0.114 * b;

/** 0 below `from`, 1 above `to`, linear between. */
const ramp = (x: number, from: number, to: number) => Math.min(1, Math.max(0, (x - from) / (to - from)));

/** Hue in degrees, saturation and value in [0, 1]. */
function hsv(r: number, g: number, b: number): [number, number, number] {
  const max = Math.max(r, g, b);
  const chroma = max - Math.min(r, g, b);
  if (chroma === 0) return [0, 0, max / 255];
  const sector = max === r ? (g - b) / chroma : max === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
  return [(sector * 60 + DEGREES) % DEGREES, chroma / max, max / 255];
}

/** The hue that carries most colour: the heaviest window of the histogram, in degrees. */
function dominantHue(rgba: Uint8Array): number {
  const mass = new Float64Array(DEGREES);
  for (let i = 0; i < rgba.length; i += 4) {
    const [h, s, v] = hsv(rgba[i], rgba[i + 1], rgba[i + 2]);
    mass[Math.floor(h)] += rgba[i + 3] * s * v;
  }
  let best = 0;
  let bestMass = -1;
  for (let hue = 0; hue < DEGREES; hue++) {
    let sum = 0;
    for (let d = -HUE_REACH; d <= HUE_REACH; d++) sum += mass[(hue + d + DEGREES) % DEGREES];
    if (sum > bestMass) [best, bestMass] = [hue, sum];
  }
  return best;
}

/** How much each pixel belongs to the part that changes colour, in [0, 1]. */
function paintable(rgba: Uint8Array, paint: Paint): Float64Array {
  const weights = new Float64Array(rgba.length / 4);
  const peak = paint === "hue" ? dominantHue(rgba) : 0;
  for (let i = 0; i < weights.length; i++) {
    const [h, s, v] = hsv(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
    if (paint === "hue") {
      const away = Math.min(Math.abs(h - peak), DEGREES - Math.abs(h - peak));
      weights[i] = (1 - ramp(away, HUE_REACH, 2 * HUE_REACH)) * ramp(s, 0.15, 0.3) * ramp(v, 0.1, 0.25);
    } else weights[i] = (1 - ramp(s, 0.2, 0.4)) * ramp(v, 0.25, 0.45);
  }
  return weights;
}

/**
 * The sprite (RGBA, straight alpha) in another colour: the painted part takes the target colour, lighter or darker as
 * it was lighter or darker than its own mean.
 */
export function recolor(rgba: Uint8Array, color: Color, paint: Paint): Uint8Array {
  const target = COLORS[color];
  const weights = paintable(rgba, paint);
  let sum = 0;
  let mass = 0;
  for (let i = 0; i < weights.length; i++) {
    const w = weights[i] * rgba[4 * i + 3];
    sum += w * luma(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
    mass += w;
  }
  const mean = sum / Math.max(mass, 1);
  const out = rgba.slice();
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    const light = luma(rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]);
    for (let c = 0; c < 3; c++) {
      const t = target[c];
      const painted =
        light <= mean
          ? t * (1 - SHADE * (1 - light / mean))
          : t + (255 - t) * SHINE * ((light - mean) / Math.max(255 - mean, 64));
      out[4 * i + c] = Math.round(rgba[4 * i + c] + weights[i] * (painted - rgba[4 * i + c]));
    }
  }
  return out;
}
