/**
 * Counter-based random numbers: the value depends only on the key, never on how many were drawn before, so the same
 * seed gives the same tokens on every device, thread count and batch split.
 * Philox 4x32-10, Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011).
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of an unsigned 32x32 product. */
function mulhi(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const mid = ah * bl + ((al * bl) >>> 16);
  return (ah * bh + (mid >>> 16) + ((((mid & 0xffff) + al * bh) / 65536) | 0)) >>> 0;
}

/** Four 32-bit words for a 128-bit counter and a 64-bit key, written to `out`. */
export function philox(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(M0, c0 >>> 0);
    const lo0 = Math.imul(M0, c0);
    const hi1 = mulhi(M1, c2 >>> 0);
    const lo1 = Math.imul(M1, c2);
    c0 = hi1 ^ c1 ^ k0;
    c1 = lo1;
    c2 = hi0 ^ c3 ^ k1;
    c3 = lo0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

const words = new Uint32Array(4);

/** One uniform in [0, 1) with 24 bits (exact in float32) for (seed, a, b, c, d). */
export function uniformAt(seed: number, a: number, b = 0, c = 0, d = 0): number {
  philox(words, a, b, c, d, seed | 0, Math.floor(seed / 4294967296) | 0);
  return (words[0] >>> 8) / 16777216;
}

/** A sequential stream on top of the counter, for code that just wants the next number. Resumable by its counter. */
export class Rng {
  readonly seed: number;
  counter: number;
  private readonly stream: number;

  constructor(seed: number, stream = 0, counter = 0) {
    this.seed = seed;
    this.stream = stream;
    this.counter = counter;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    const n = this.counter++;
    return uniformAt(this.seed, n | 0, Math.floor(n / 4294967296), this.stream, 0x5eed);
  }

  /** Uniform integer in [0, n). */
  int(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)];
  }

  /** Standard normal (Box-Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fisher-Yates, in place. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  /** An independent stream: same seed, another stream number. */
  fork(stream: number): Rng {
    return new Rng(this.seed, (Math.imul(this.stream, 0x01000193) ^ (stream + 1)) >>> 0);
  }
}

/** Places 0 ... count-1 again and again, each time round in another order: the place at any index of that endless row. */
export function shuffledRounds(count: number, seed: number): (index: number) => number {
  let [known, order]: [number, number[]] = [-1, []];
  return (index) => {
    const round = Math.floor(index / count);
    if (round !== known) {
      order = new Rng(seed, round).shuffle(Array.from({ length: count }, (_, i) => i));
      known = round;
    }
    return order[index % count];
  };
}
