/**
 * Trajectories on disk: a folder of numbered chunks, each written whole or not at all, so that any number of processes may
 * fill it and be killed. Whatever is read is checked before it is believed. Knows no model.
 */
import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fail, type NdArray, nd, throwIfAborted } from "../base/index.ts";
import { readSafetensors, toFloat16, widen, writeSafetensors } from "../files/index.ts";
import type { ImageTrajectory, TextTrajectory } from "./trajectories.ts";

/** What trajectories were made of and how, JSON values only: a folder holds those of one origin. */
export type Origin = Readonly<Record<string, string | number>>;

/** One kind of trajectory as named arrays and back. */
export interface Codec<T> {
  readonly kind: string;
  pack(items: readonly T[]): Record<string, NdArray>;
  /** Errors: arrays that contradict each other. */
  unpack(array: (name: string) => NdArray): T[];
}

export interface Collection<T> {
  readonly folder: string;
  readonly codec: Codec<T>;
  readonly origin: Origin;
  /** Requests that are followed, from 0; a chunk may hold more or fewer trajectories than requests. */
  readonly count: number;
  /** Requests of a chunk. */
  readonly chunk: number;
}

const chunksOf = ({ count, chunk }: Pick<Collection<unknown>, "count" | "chunk">): number => Math.ceil(count / chunk);
const pathOf = ({ folder, codec }: Collection<never>, index: number): string =>
  join(folder, `${codec.kind}-${String(index).padStart(6, "0")}.safetensors`);

export interface CollectOptions {
  /** This process makes chunks `part`, `part + parts`, ... first, then what is still missing. Default 0 of 1. */
  part?: number;
  parts?: number;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

/** Makes the chunks that are missing. `record` follows the requests `first` ... `first + count - 1`. */
export async function collectTrajectories<T>(
  collection: Collection<T>,
  record: (first: number, count: number) => Promise<readonly T[]>,
  { part = 0, parts = 1, signal, onProgress }: CollectOptions = {},
): Promise<void> {
  const { folder, codec, origin, count, chunk } = collection;
  await mkdir(folder, { recursive: true });
  const total = chunksOf(collection);
  const all = Array.from({ length: total }, (_, i) => i);
  const missing = () => all.filter((i) => !existsSync(pathOf(collection as Collection<never>, i)));
  const mine = (i: number) => i % parts === part;
  for (const index of [...missing().filter(mine), ...missing().filter((i) => !mine(i))]) {
    throwIfAborted(signal);
    const path = pathOf(collection as Collection<never>, index);
    if (existsSync(path)) continue;
    const first = index * chunk;
    const items = await record(first, Math.min(chunk, count - first));
    await writeSafetensors(path, codec.pack(items), { origin: JSON.stringify(origin), first: `${first}` });
    onProgress?.(total - missing().length, total);
  }
}

/** All trajectories of a complete collection, in order. Errors: BAD_FILE for damaged files and those of another origin. */
export function readTrajectories<T>(collection: Collection<T>): T[] {
  return Array.from({ length: chunksOf(collection) }, (_, i) => readChunk(collection, i)).flat();
}

/** All trajectories of one kind in a folder, whatever made them. Errors: BAD_FILE for damaged files, or for none. */
export function trajectoriesIn<T>(folder: string, codec: Codec<T>): T[] {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(`${codec.kind}-`)) : [];
  if (!names.length)
    fail("there are no trajectories here", { where: folder, expected: `files ${codec.kind}-*`, code: "BAD_FILE" });
  return names.sort().flatMap((name) => readFile(join(folder, name), codec));
}

const readChunk = <T>(collection: Collection<T>, index: number): T[] =>
  readFile(
    pathOf(collection as Collection<never>, index),
    collection.codec,
    `chunk ${index * collection.chunk} of ${JSON.stringify(collection.origin)}`,
  );

/** `wanted`: what the file must have been made of. */
function readFile<T>(path: string, codec: Codec<T>, wanted?: string): T[] {
  const file = readSafetensors(path);
  try {
    const made = `chunk ${file.metadata.first} of ${file.metadata.origin}`;
    if (wanted !== undefined && made !== wanted)
      fail("these trajectories were made otherwise", {
        where: path,
        expected: wanted,
        got: made,
        code: "BAD_FILE",
        hint: "Use another folder, or delete this one to collect them anew.",
      });
    return codec.unpack((name) => file.get(name));
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError)
      fail("these trajectories cannot be read", { where: path, got: error.message, cause: error, code: "BAD_FILE" });
    throw error;
  } finally {
    file.close();
  }
}

const whole = (values: ArrayLike<number>): NdArray => nd("int32", [values.length], Int32Array.from(values));

/** Lists of different lengths end to end, and how long each is. */
const lists = (name: string, all: readonly ArrayLike<number>[]): Record<string, NdArray> => ({
  [name]: whole(all.flatMap((list) => Array.from(list))),
  [`${name}_lengths`]: whole(all.map((list) => list.length)),
});

function unlist(array: (name: string) => NdArray, name: string): number[][] {
  const values = Array.from(array(name).data as Int32Array);
  const lengths = Array.from(array(`${name}_lengths`).data as Int32Array);
  let end = 0;
  const out = lengths.map((length) => values.slice(end, (end += length)));
  return lengths.every((length) => length >= 0) && end === values.length ? out : contradiction(name);
}

const contradiction = (name: string): never =>
  fail("these trajectories contradict each other", { where: name, code: "BAD_FILE" });

/** Pictures of `cells` cells with tokens below `vocab`, decided within `passes` steps. */
export const pictureCodec = (cells: number, passes: number, vocab: number): Codec<ImageTrajectory> => ({
  kind: "pictures",
  pack(items) {
    const kept = items.map(({ labelIds }) => labelIds);
    const shares = items.flatMap(({ labelShares }) => Array.from(labelShares));
    return {
      ...lists(
        "prompts",
        items.map(({ prompt }) => prompt),
      ),
      ids: nd("int32", [items.length, cells], Int32Array.from(items.flatMap(({ ids_L }) => Array.from(ids_L)))),
      decided: nd("uint8", [items.length, cells], Uint8Array.from(items.flatMap((i) => Array.from(i.decided_L)))),
      ...lists("labels", kept),
      shares: nd("float16", [shares.length], toFloat16(Float32Array.from(shares))),
    };
  },
  unpack(array) {
    const prompts = unlist(array, "prompts");
    const labels = unlist(array, "labels");
    const [ids, decided, shares] = ["ids", "decided", "shares"].map(array);
    const size = prompts.length * cells;
    if (labels.length !== prompts.length || ids.data.length !== size || decided.data.length !== size)
      contradiction("ids");
    if (shares.data.length !== labels.reduce((n, { length }) => n + length, 0)) contradiction("shares");
    const known = (id: number) => id >= 0 && id < vocab;
    if (!(ids.data as Int32Array).every(known) || !labels.every((some) => some.every(known))) contradiction("labels");
    if (!(decided.data as Uint8Array).every((step) => step < passes)) contradiction("decided");
    const wide = widen(shares);
    let end = 0;
    return prompts.map((prompt, i) => {
      const decided_L = (decided.data as Uint8Array).slice(i * cells, (i + 1) * cells);
      const open = decided_L.reduce((n, step) => n + step + 1, 0);
      if (labels[i].length % open) contradiction("labels_lengths");
      return {
        prompt,
        ids_L: (ids.data as Int32Array).slice(i * cells, (i + 1) * cells),
        decided_L,
        labelIds: Int32Array.from(labels[i]),
        labelShares: wide.data.slice(end, (end += labels[i].length)),
      };
    });
  },
});

/** Texts with ids below `vocab`. */
export const textCodec = (vocab: number): Codec<TextTrajectory> => ({
  kind: "texts",
  pack: (items) => ({
    ...lists(
      "prompts",
      items.map(({ prompt }) => prompt),
    ),
    asked: whole(items.map(({ asked }) => asked)),
    rounds: whole(items.map(({ points }) => points.length)),
    ...lists(
      "points",
      items.flatMap(({ points }) => points),
    ),
  }),
  unpack(array) {
    const prompts = unlist(array, "prompts");
    const points = unlist(array, "points");
    const [asked, rounds] = ["asked", "rounds"].map((name) => array(name).data as Int32Array);
    if (asked.length !== prompts.length || rounds.length !== prompts.length) contradiction("rounds");
    let end = 0;
    const items = prompts.map((prompt, i) => {
      const own = points.slice(end, (end += rounds[i]));
      const even = own.length > 1 && own.every(({ length }) => length === own[0].length);
      if (!even || asked[i] < 0 || asked[i] > prompt.length) contradiction("points");
      return { prompt, asked: asked[i], points: own };
    });
    if (end !== points.length || ![...prompts, ...points].flat().every((id) => id >= 0 && id < vocab))
      contradiction("points");
    return items;
  },
});
