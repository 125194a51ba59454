/** Backgrounds: flat rectangles on a square of 64 units, so that the same place always gives the same pixels. */
import type { Color, Rgb } from "./recolor.ts";

/** Side of the square that backgrounds, sizes and positions are given in. */
export const UNITS = 64;

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly rgb: Rgb;
}

interface Background {
  /** How a sentence ends that names it; null when there is nothing to say. */
  readonly words: string | null;
  /** Painted in order. */
  readonly rects: readonly Rect[];
  /** Colours that would hardly be seen on it. */
  readonly hides: readonly Color[];
}

/** Full-width bands from top to bottom: [height, colour]. */
function bands(...rows: readonly (readonly [number, Rgb])[]): Rect[] {
  let y = 0;
  return rows.map(([h, rgb]) => {
    const rect = { x: 0, y, w: UNITS, h, rgb };
    y += h;
    return rect;
  });
}

const line = (x: number, y: number, w: number, h: number, rgb: Rgb): Rect => ({ x, y, w, h, rgb });

function planks(): Rect[] {
  const rects = bands([UNITS, [205, 160, 110]]);
  for (let y = 0; y < UNITS; y += 16) rects.push(line(0, y + 15, UNITS, 1, [168, 124, 80]));
  return rects;
}

/** Mortar lines around bricks of 16x8 units, every other row shifted by half a brick. */
function bricks(): Rect[] {
  const mortar: Rgb = [206, 178, 164];
  const rects = bands([UNITS, [178, 96, 78]]);
  for (let y = 0; y < UNITS; y += 8) {
    rects.push(line(0, y + 7, UNITS, 1, mortar));
    for (let x = (y / 8) % 2 ? 7 : 15; x < UNITS; x += 16) rects.push(line(x, y, 1, 7, mortar));
  }
  return rects;
}

const SKY: Rgb = [190, 226, 250];

export const BACKGROUNDS = {
  plain: { words: null, rects: bands([64, [222, 224, 228]]), hides: [] },
  grass: { words: "on grass", rects: bands([32, SKY], [32, [124, 190, 92]]), hides: [] },
  night: { words: "at night", rects: bands([64, [26, 28, 66]]), hides: ["black"] },
  beach: { words: "on a beach", rects: bands([40, [112, 190, 222]], [24, [238, 216, 164]]), hides: [] },
  snow: { words: "in the snow", rects: bands([32, [176, 198, 226]], [32, [248, 250, 254]]), hides: ["white"] },
  sunset: {
    words: "at sunset",
    rects: bands([16, [104, 74, 132]], [16, [176, 96, 126]], [16, [230, 134, 104]], [16, [250, 186, 110]]),
    hides: [],
  },
  table: { words: "on a wooden table", rects: planks(), hides: ["brown"] },
  wall: { words: "in front of a brick wall", rects: bricks(), hides: ["brown", "red"] },
} as const satisfies Record<string, Background>;

export type BackgroundName = keyof typeof BACKGROUNDS;

export const wordsOf = (name: BackgroundName): string | null => BACKGROUNDS[name].words;
export const hides = (name: BackgroundName, color: Color | null): boolean =>
  color !== null && (BACKGROUNDS[name].hides as readonly Color[]).includes(color);

const painted = new Map<string, Uint8Array>();

/** The background as RGB bytes, `pixels` on a side. The caller may keep and change the copy it gets. */
export function paintBackground(name: BackgroundName, pixels: number): Uint8Array {
  const key = `${name}/${pixels}`;
  let rgb = painted.get(key);
  if (!rgb) {
    rgb = new Uint8Array(pixels * pixels * 3);
    const scale = pixels / UNITS;
    for (const { x, y, w, h, rgb: color } of BACKGROUNDS[name].rects)
      for (let row = y * scale; row < (y + h) * scale; row++)
        for (let column = x * scale; column < (x + w) * scale; column++) rgb.set(color, (row * pixels + column) * 3);
    painted.set(key, rgb);
  }
  return rgb.slice();
}
