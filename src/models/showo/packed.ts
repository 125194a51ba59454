/**
 * A converted Show-o at work: programs opened by path when first needed, and one cache of keys and values that stays
 * where the programs run. Knows nothing of files or of what the tokens mean.
 */
import { f32, i64, type NdArray } from "../../base/index.ts";
import type { Held, Host, Place, Program } from "../../runtime/index.ts";
import type { ShowoConfig } from "./config.ts";
import { positionsFrom } from "./graph.ts";
import { cacheName, freshName, type PackedPart } from "./packed-graphs.ts";

/** Who fills the cache. When another takes it, the rows that still count are kept aside. */
export interface CacheUser {
  /** Rows that still count, from the first. */
  rows: number;
  aside?: Float32Array[];
}

/** The cache while it belongs to one user. */
export interface CacheRows {
  /** Hidden states [M, D] of tokens at rows `at` and on, which see rows from `from` on; `bias` [1, M, at + M - from]. */
  forward(ids: readonly number[], at: number, from: number, bias: NdArray<"float32">): Promise<Float32Array>;
  /** Keys and values of `count` rows, one array for each layer and part. */
  read(at: number, count: number): Promise<Float32Array[]>;
  write(at: number, arrays: readonly Float32Array[]): Promise<void>;
}

export interface PackedShowo {
  readonly config: ShowoConfig;
  /** Hands the cache to `user`, with room for `rows`, until `work` is done. */
  use<T>(user: CacheUser, rows: number, work: (cache: CacheRows) => Promise<T>): Promise<T>;
  /** Logits [M, columns] of hidden states [M, D]. */
  head(of: "image" | "text", hidden: Float32Array): Promise<Float32Array>;
  /** Milliseconds of a pass over so many text slots on this machine; undefined: not measured. */
  passCosts?: Readonly<Record<number, number>>;
  /** Remembered across requests: the hidden states of an empty prompt and an undecided picture. */
  undecided?: Float32Array;
  dispose(): Promise<void>;
}

export interface PackedOptions {
  host: Host;
  /** Opens a part; the body that runs `rows` tokens best. */
  open: (part: PackedPart, rows: number) => Promise<Program>;
  passCosts?: Readonly<Record<number, number>>;
}

/** Room for more rows than asked, so that a cache seldom grows. */
const SPARE_ROWS = 64;

export function packedShowo(config: ShowoConfig, { host, open, passCosts }: PackedOptions): PackedShowo {
  const { layers, hiddenSize, heads } = config;
  const parts = Array.from({ length: layers }, (_, l) => (["k", "v"] as const).map((part) => ({ part, l }))).flat();
  let memory: Held | undefined;
  let capacity = 0;
  let owner: CacheUser | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const offset = (i: number, row: number) => (i * capacity + row) * hiddenSize;
  const place = (i: number, from: number, rows: number, lead: readonly number[] = []): Place => ({
    id: memory!.id,
    offset: offset(i, from),
    shape: [...lead, rows, heads, hiddenSize / heads],
  });
  const byName = <T>(nameOf: (part: "k" | "v", l: number) => string, make: (i: number) => T) =>
    Object.fromEntries(parts.map(({ part, l }, i) => [nameOf(part, l), make(i)]));

  const cache: CacheRows = {
    async forward(ids, at, from, bias) {
      const m = ids.length;
      const program = await open("body", m);
      const held = {
        feeds: byName(cacheName, (i) => place(i, from, at + m - from)),
        into: byName(freshName, (i) => place(i, at, m, [1])),
      };
      const feeds = { ids: i64([1, m], ids), positions: positionsFrom(at, m), bias };
      return (await program.run(feeds, {}, { held })).hidden.data as Float32Array;
    },
    read: (at, count) => Promise.all(parts.map((_, i) => memory!.read(offset(i, at), count * hiddenSize))),
    async write(at, arrays) {
      for (const [i, array] of arrays.entries()) await memory!.write(offset(i, at), array);
    },
  };

  async function take(user: CacheUser, rows: number): Promise<void> {
    const fits = rows <= capacity;
    if (owner === user && fits) return;
    if (owner?.rows) owner.aside = await cache.read(0, owner.rows);
    if (!fits) {
      await memory?.release();
      memory = undefined;
      capacity = rows + SPARE_ROWS;
      memory = await host.hold(parts.length * capacity * hiddenSize);
    }
    owner = user;
    if (user.aside) await cache.write(0, user.aside);
    user.aside = undefined;
  }

  return {
    config,
    passCosts,
    use(user, rows, work) {
      const turn = queue.then(async () => {
        await take(user, rows);
        return work(cache);
      });
      queue = turn.catch(() => {});
      return turn;
    },
    async head(of, hidden) {
      const rows = hidden.length / hiddenSize;
      const program = await open(`${of}_head`, rows);
      return (await program.run({ hidden: f32([rows, hiddenSize], hidden) })).logits.data as Float32Array;
    },
    async dispose() {
      await memory?.release();
      memory = undefined;
      capacity = 0;
    },
  };
}

/** New tokens see all rows before them and each other in order; [1, M, past + M]. */
export function causalRows(length: number, past = 0): NdArray<"float32"> {
  const bias = f32([1, length, past + length]);
  for (let i = 0; i < length; i++)
    bias.data.fill(-Infinity, i * (past + length) + past + i + 1, (i + 1) * (past + length));
  return bias;
}

/** Bytes of a cache of so many rows. */
export const cacheBytes = ({ layers, hiddenSize }: ShowoConfig, rows: number): number =>
  2 * layers * (rows + SPARE_ROWS) * hiddenSize * 4;
