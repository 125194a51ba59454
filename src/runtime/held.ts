/** Memory that stays in the thread of the programs, so that what grows slowly is not copied with every run. */
import { f32, fail, internal, sizeOf } from "../base/index.ts";
import type { Arrays } from "./program.ts";

/** Part of a held array, as messages carry it. */
export interface Place {
  readonly id: number;
  readonly offset: number;
  readonly shape: readonly number[];
}

export type Places = Readonly<Record<string, Place>>;

/** The arrays of one thread. */
export class HeldMemory {
  private readonly arrays = new Map<number, Float32Array>();
  private count = 0;

  /** Zeros. Errors: OUT_OF_MEMORY. */
  add(length: number): number {
    try {
      this.arrays.set(++this.count, new Float32Array(length));
    } catch (cause) {
      fail("not enough memory for the caches of a model", {
        code: "OUT_OF_MEMORY",
        got: `${((length * 4) / 1e9).toFixed(2)} GB`,
        hint: "Use shorter texts or a smaller picture.",
        cause,
      });
    }
    return this.count;
  }

  part({ id, offset, shape }: Place): Float32Array {
    const array = this.arrays.get(id) ?? fail("this memory was given back");
    const length = sizeOf(shape);
    if (!(offset >= 0 && offset + length <= array.length))
      internal(`[${shape}] at ${offset} is outside ${array.length} held numbers`);
    return array.subarray(offset, offset + length);
  }

  views(places: Places = {}): Arrays {
    return Object.fromEntries(
      Object.entries(places).map(([name, place]) => [name, f32(place.shape, this.part(place))]),
    );
  }

  release(id: number): void {
    this.arrays.delete(id);
  }
}
