/** Pictures spoilt the way generated ones are: blurred, coarse, in cells of a tokenizer, off in colour, noisy. */
import { Rng } from "../base/index.ts";
import type { Spot } from "./place.ts";

/** Cells of a tokenizer, per side of a picture. */
const CELLS = 8;
/** Cells that an object is cut into, per side. */
const BLOB_CELLS = 4;
const NOISE_VALUES = 65536;

type Spoiler = (values: Float32Array, side: number, rng: Rng) => void;

/** Each happens to a picture with this probability. */
const SPOILERS: readonly (readonly [chance: number, Spoiler])[] = [
  [0.4, blur],
  [0.25, halve],
  [0.4, cells],
  [0.3, fade],
  [0.5, shiftColor],
  [0.4, addNoise],
];

/** RGB bytes of a square picture, spoilt at random. Objects, their places and the names of their colours stay. */
export function degrade(pixels: Uint8Array, rng: Rng): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  const values = Float32Array.from(pixels);
  for (const [chance, spoil] of SPOILERS) if (rng.uniform() < chance) spoil(values, side, rng);
  return Uint8Array.from(values, (v) => Math.min(255, Math.max(0, Math.round(v))));
}

/** The cells of a picture in random order: what a model draws that has learnt nothing but cells. */
export function scramble(pixels: Uint8Array, rng: Rng): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  const size = side / CELLS;
  const order = rng.shuffle(Array.from({ length: CELLS * CELLS }, (_, i) => i));
  const out = new Uint8Array(pixels.length);
  const start = (cell: number) => (Math.floor(cell / CELLS) * size * side + (cell % CELLS) * size) * 3;
  for (const [to, from] of order.entries())
    for (let row = 0; row < size; row++)
      out.set(
        pixels.subarray(start(from) + row * side * 3, start(from) + (row * side + size) * 3),
        start(to) + row * side * 3,
      );
  return out;
}

/** What is within a square, in pixels, becomes a blob: its cells in random order, then smoothed until no shape is left. */
export function ruin(pixels: Uint8Array, { x, y, size }: Spot, rng: Rng): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  const [from, out] = [Float32Array.from(pixels), pixels.slice()];
  const cell = size / BLOB_CELLS;
  const order = rng.shuffle(Array.from({ length: BLOB_CELLS ** 2 }, (_, i) => i));
  for (let v = 0; v < size; v++)
    for (let u = 0; u < size; u++) {
      const source = order[Math.floor(v / cell) * BLOB_CELLS + Math.floor(u / cell)];
      const row = y + Math.floor(Math.floor(source / BLOB_CELLS) * cell + (v % cell));
      const column = x + Math.floor((source % BLOB_CELLS) * cell + (u % cell));
      for (let c = 0; c < 3; c++) from[((y + v) * side + x + u) * 3 + c] = pixels[(row * side + column) * 3 + c];
    }
  const times = 3 + rng.int(6);
  for (let i = 0; i < times; i++) for (const stride of [3, 3 * side]) smooth(from, side, stride);
  for (let v = y; v < y + size; v++)
    for (let i = (v * side + x) * 3; i < (v * side + x + size) * 3; i++) out[i] = Math.round(from[i]);
  return out;
}

/** The picture moved by whole pixels; its edges are repeated. */
export function shifted(pixels: Uint8Array, dx: number, dy: number): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  const within = (i: number) => Math.min(side - 1, Math.max(0, i));
  return pixels.map((_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return pixels[(within(y - dy) * side + within(x - dx)) * 3 + (i % 3)];
  });
}

/** A binomial filter of three, along both axes, once or twice. */
function blur(values: Float32Array, side: number, rng: Rng): void {
  const times = 1 + rng.int(2);
  for (let i = 0; i < times; i++) {
    smooth(values, side, 3);
    smooth(values, side, 3 * side);
  }
}

/** Along the axis on which neighbours lie `stride` values apart; edges repeat. */
function smooth(values: Float32Array, side: number, stride: number): void {
  const before = values.slice();
  const alongRow = stride === 3;
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const at = (y * side + x) * 3;
      const place = alongRow ? x : y;
      const previous = place === 0 ? at : at - stride;
      const next = place === side - 1 ? at : at + stride;
      for (let c = 0; c < 3; c++) values[at + c] = (before[previous + c] + 2 * before[at + c] + before[next + c]) / 4;
    }
}

/** Blocks of two by two pixels take their mean. */
function halve(values: Float32Array, side: number): void {
  coarsen(values, side, { x: 0, y: 0, size: side }, 2, 1);
}

/** Blocks of `block` pixels a side within a square move towards their mean by `share`. */
function coarsen(values: Float32Array, side: number, within: Spot, block: number, share: number): void {
  const area = block * block;
  for (let y = within.y; y < within.y + within.size; y += block)
    for (let x = within.x; x < within.x + within.size; x += block)
      for (let c = 0; c < 3; c++) {
        const at = (i: number) => ((y + Math.floor(i / block)) * side + x + (i % block)) * 3 + c;
        let sum = 0;
        for (let i = 0; i < area; i++) sum += values[at(i)];
        for (let i = 0; i < area; i++) values[at(i)] += share * (sum / area - values[at(i)]);
      }
}

/** Each cell on its own loses detail and drifts in colour. */
function cells(values: Float32Array, side: number, rng: Rng): void {
  const size = side / CELLS;
  const loss = 0.7 * rng.uniform();
  const drift = 20 * rng.uniform();
  for (let cell = 0; cell < CELLS * CELLS; cell++) {
    const [x0, y0] = [(cell % CELLS) * size, Math.floor(cell / CELLS) * size];
    coarsen(values, side, { x: x0, y: y0, size }, size / 2, loss * rng.uniform());
    for (let c = 0; c < 3; c++) {
      const by = drift * (2 * rng.uniform() - 1);
      for (let y = y0; y < y0 + size; y++) for (let x = x0; x < x0 + size; x++) values[(y * side + x) * 3 + c] += by;
    }
  }
}

/** Contrast and brightness of each channel, by a tenth at most: red stays red. */
function shiftColor(values: Float32Array, _side: number, rng: Rng): void {
  const gain = Array.from({ length: 3 }, () => 0.9 + 0.2 * rng.uniform());
  const offset = Array.from({ length: 3 }, () => 24 * rng.uniform() - 12);
  for (let i = 0; i < values.length; i++) values[i] = values[i] * gain[i % 3] + offset[i % 3];
}

/** Everything moves towards the mean colour, by three fifths at most. */
function fade(values: Float32Array, side: number, rng: Rng): void {
  coarsen(values, side, { x: 0, y: 0, size: side }, side, 0.6 * rng.uniform());
}

let noise: Float32Array | undefined;

/** Normal noise from a table, read from a random place on: drawing each value anew would cost more than a scene. */
function addNoise(values: Float32Array, _side: number, rng: Rng): void {
  const source = new Rng(0);
  noise ??= Float32Array.from({ length: NOISE_VALUES }, () => source.normal());
  const strength = 3 + 9 * rng.uniform();
  const start = rng.int(NOISE_VALUES);
  for (let i = 0; i < values.length; i++) values[i] += strength * noise[(start + i) % NOISE_VALUES];
}
