// Rasterises one Noto emoji for each scene class into assets/atlas/noto.webp and writes the order of the cells to
// src/scenes/atlas/cells.ts. Run it by hand after changing the table: node scripts/build-atlas.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { icons } = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@iconify-json/noto/icons.json"), "utf8"),
);

const CELL = 80;
const MARGIN = 2;
const COLUMNS = 8;
/** Size of the picture that is trimmed before it is reduced to a cell. */
const LARGE = 512;

// A class is the name of its icon, or the icon with a rule that keeps some of its top-level shapes: (fill, index).
const SPRITES = {
  bicycle: "bicycle",
  car: "automobile",
  motorcycle: "motorcycle",
  airplane: "airplane",
  bus: "bus",
  train: "locomotive",
  truck: "delivery-truck",
  boat: "sailboat",
  "traffic light": "vertical-traffic-light",
  "stop sign": "stop-sign",
  bird: "bird",
  cat: "cat",
  dog: "dog",
  horse: "horse",
  sheep: "ewe",
  cow: "cow",
  elephant: "elephant",
  bear: "bear",
  zebra: "zebra",
  giraffe: "giraffe",
  backpack: "backpack",
  umbrella: "umbrella",
  handbag: "handbag",
  tie: ["necktie", (fill) => ["#ffe077", "#eaa813"].includes(fill)], // without the shirt
  suitcase: "luggage",
  frisbee: "flying-disc",
  skis: "skis",
  "sports ball": "soccer-ball",
  kite: "kite",
  skateboard: "skateboard",
  "tennis racket": ["tennis", (fill) => !["#b6d401", "#d5f100", "#fff"].includes(fill)], // without the ball
  bottle: "bottle-with-popping-cork",
  "wine glass": "wine-glass",
  cup: "hot-beverage",
  fork: ["fork-and-knife", (_, index) => index < 4], // without the knife
  knife: "kitchen-knife",
  spoon: "spoon",
  bowl: ["bowl-with-spoon", (fill) => !["#9d9c9c", "#e0e0e0", "#c8c8c8", "#fff"].includes(fill)], // without the spoon
  banana: "banana",
  apple: "red-apple",
  sandwich: "sandwich",
  orange: "tangerine",
  broccoli: "broccoli",
  carrot: "carrot",
  "hot dog": "hot-dog",
  pizza: "pizza",
  donut: "doughnut",
  cake: "birthday-cake",
  chair: "chair",
  couch: ["couch-and-lamp", (fill) => !(fill === "#ffd600" || fill === "#ffff8d" || fill.startsWith("url("))], // no lamp
  "potted plant": "potted-plant",
  bed: "bed",
  toilet: "toilet",
  tv: "television",
  laptop: "laptop",
  "computer mouse": "computer-mouse",
  "computer keyboard": "keyboard",
  "cell phone": "mobile-phone",
  book: "closed-book",
  clock: "alarm-clock",
  vase: "amphora",
  scissors: "scissors",
  "teddy bear": "teddy-bear",
  toothbrush: "toothbrush",
};

function bodyOf(sprite) {
  const [icon, keep] = typeof sprite === "string" ? [sprite] : sprite;
  const body = icons[icon]?.body;
  if (!body) throw new Error(`@iconify-json/noto has no icon '${icon}'`);
  if (!keep) return body;
  let index = 0;
  return body.replace(/<(path|ellipse|circle|rect)\b[^>]*\/>/g, (shape) =>
    keep(/fill="([^"]*)"/.exec(shape)?.[1] ?? "", index++) ? shape : "",
  );
}

async function cellOf(sprite) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128" width="${LARGE}" height="${LARGE}">${bodyOf(sprite)}</svg>`;
  const large = await sharp(Buffer.from(svg)).png().toBuffer();
  const trimmed = await sharp(large).trim({ background: "#0000", threshold: 1 }).toBuffer();
  const inner = CELL - 2 * MARGIN;
  return sharp(trimmed)
    .resize(inner, inner, { fit: "contain", background: "#0000" })
    .extend({ top: MARGIN, bottom: MARGIN, left: MARGIN, right: MARGIN, background: "#0000" })
    .png()
    .toBuffer();
}

const names = Object.keys(SPRITES);
const cells = await Promise.all(
  names.map(async (name, i) => ({
    input: await cellOf(SPRITES[name]),
    left: (i % COLUMNS) * CELL,
    top: Math.floor(i / COLUMNS) * CELL,
  })),
);
const width = COLUMNS * CELL;
const height = Math.ceil(names.length / COLUMNS) * CELL;
await sharp({ create: { width, height, channels: 4, background: "#0000" } })
  .composite(cells)
  .webp({ lossless: true, effort: 6 })
  .toFile(join(root, "assets", "atlas", "noto.webp"));

writeFileSync(
  join(root, "src", "scenes", "atlas", "cells.ts"),
  `/** Which class is in which cell of assets/atlas/noto.webp, row by row. Written by scripts/build-atlas.mjs. */

/** Side of a square cell, pixels. */
export const CELL = ${CELL};
export const COLUMNS = ${COLUMNS};
export const CELLS = [
${names.map((name) => `  ${JSON.stringify(name)},`).join("\n")}
] as const;
`,
);
console.log(`${names.length} sprites, ${width}x${height}`);
