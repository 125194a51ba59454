/** The sprites: decoded once from the committed atlas, recoloured and reduced on demand, then kept. */
import { readFile } from "node:fs/promises";
import { fail } from "../base/index.ts";
import { CELL, CELLS, COLUMNS } from "./atlas/cells.ts";
import { CLASSES, type ClassName } from "./classes.ts";
import { type Color, recolor } from "./recolor.ts";

/** A square picture, RGBA with straight alpha, row by row. */
export interface Sprite {
  readonly size: number;
  readonly rgba: Uint8Array;
}

export interface Atlas {
  /** Every class at CELL pixels in its own colours. */
  readonly drawings: ReadonlyMap<ClassName, Uint8Array>;
  /** What was recoloured and reduced so far; a memo only. */
  readonly sprites: Map<string, Sprite>;
}

// The assets lie in the package root, two folders up from src/scenes and from dist/scenes alike.
const FILE = new URL("../../assets/atlas/noto.webp", import.meta.url);

let loading: Promise<Atlas> | undefined;

/** The atlas of the package, decoded on first use. */
export function loadAtlas(): Promise<Atlas> {
  loading ??= decode();
  return loading;
}

async function decode(): Promise<Atlas> {
  const bytes = await readFile(FILE).catch((cause) =>
    fail("cannot read the sprite atlas", { where: FILE.pathname, code: "NOT_FOUND", cause }),
  );
  const { default: sharp } = await import("sharp");
  const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const expected = { width: COLUMNS * CELL, height: Math.ceil(CELLS.length / COLUMNS) * CELL };
  if (info.width !== expected.width || info.height !== expected.height)
    fail("the sprite atlas does not fit its index", {
      where: FILE.pathname,
      expected: `${expected.width}x${expected.height}`,
      got: `${info.width}x${info.height}`,
      hint: "Run scripts/build-atlas.mjs to write both.",
      code: "BAD_FILE",
    });
  const drawings = new Map<ClassName, Uint8Array>();
  CELLS.forEach((name, i) => {
    const rgba = new Uint8Array(CELL * CELL * 4);
    for (let y = 0; y < CELL; y++) {
      const start = ((Math.floor(i / COLUMNS) * CELL + y) * info.width + (i % COLUMNS) * CELL) * 4;
      rgba.set(data.subarray(start, start + CELL * 4), y * CELL * 4);
    }
    drawings.set(name, rgba);
  });
  return { drawings, sprites: new Map() };
}

/** The sprite of a class in a colour (null: its drawing as it is) at `size` pixels. */
export function spriteOf(atlas: Atlas, name: ClassName, color: Color | null, size: number): Sprite {
  const painted = color === CLASSES[name].natural ? null : color;
  const key = `${name}/${painted}/${size}`;
  let sprite = atlas.sprites.get(key);
  if (!sprite) {
    const rgba =
      size === CELL
        ? paintedDrawing(atlas, name, painted)
        : reduce(spriteOf(atlas, name, painted, CELL).rgba, CELL, size);
    sprite = { size, rgba };
    atlas.sprites.set(key, sprite);
  }
  return sprite;
}

function paintedDrawing(atlas: Atlas, name: ClassName, color: Color | null): Uint8Array {
  const drawing = atlas.drawings.get(name) ?? fail(`the atlas has no class '${name}'`, { code: "NOT_FOUND" });
  const { paint } = CLASSES[name];
  if (color === null) return drawing;
  return paint ? recolor(drawing, color, paint) : fail(`the drawing of '${name}' cannot be painted`, { got: color });
}

/** Area average of a square RGBA picture, colours weighted by alpha. */
function reduce(rgba: Uint8Array, from: number, to: number): Uint8Array {
  const out = new Uint8Array(to * to * 4);
  const scale = from / to;
  for (let y = 0; y < to; y++)
    for (let x = 0; x < to; x++) {
      let [r, g, b, a] = [0, 0, 0, 0];
      for (let sy = Math.floor(y * scale); sy < Math.min(from, (y + 1) * scale); sy++)
        for (let sx = Math.floor(x * scale); sx < Math.min(from, (x + 1) * scale); sx++) {
          const rows = Math.min(sy + 1, (y + 1) * scale) - Math.max(sy, y * scale);
          const columns = Math.min(sx + 1, (x + 1) * scale) - Math.max(sx, x * scale);
          const i = (sy * from + sx) * 4;
          const alpha = rows * columns * rgba[i + 3];
          r += alpha * rgba[i];
          g += alpha * rgba[i + 1];
          b += alpha * rgba[i + 2];
          a += alpha;
        }
      if (a > 0) out.set([r / a, g / a, b / a, a / (scale * scale)].map(Math.round), (y * to + x) * 4);
    }
  return out;
}
