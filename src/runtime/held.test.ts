/** Memory that stays with the programs, in this thread and in a worker: grows in place, is not copied, is given back. */
import { expect, test } from "vitest";
import { f32 } from "../base/index.ts";
import { add, Graph, mul, reduceSum, slice } from "../graph/index.ts";
import { createHost } from "./index.ts";

/** fresh = 2x goes to the end of a cache, and the sum of the whole cache waits for it. */
function growing(): Graph {
  const g = new Graph();
  const x = g.input("x", "float32", ["M", 2]);
  const cache = g.input("cache", "float32", ["T", 2]);
  const fresh = mul(x, 2);
  const waiting = add(cache, mul(slice(slice(fresh, 0, 0, 1), 1, 0, 1), 0));
  g.output("fresh", fresh);
  g.output("sum", reduceSum(waiting, [0]));
  return g;
}

test.each(["inline", "worker"] as const)(
  "%s: outputs written into a feed's memory are read by the same run",
  async (kind) => {
    const host = createHost({ host: kind, threads: 1 });
    try {
      const program = await host.compile(growing());
      const memory = await host.hold(8);
      await memory.write(0, f32([2], [1, 10]).data);
      const { id } = memory;
      const step = (x: number[], at: number) =>
        program.run(
          { x: f32([1, 2], x) },
          {},
          {
            held: {
              feeds: { cache: { id, offset: 0, shape: [at + 1, 2] } },
              into: { fresh: { id, offset: 2 * at, shape: [1, 2] } },
            },
          },
        );
      const first = await step([3, 4], 1);
      expect(Object.keys(first)).toEqual(["sum"]);
      expect([...(first.sum.data as Float32Array)]).toEqual([7, 18]);
      expect([...((await step([1, 1], 2)).sum.data as Float32Array)]).toEqual([9, 20]);
      expect([...(await memory.read(0, 8))]).toEqual([1, 10, 6, 8, 2, 2, 0, 0]);
      await expect(step([1, 1], 4)).rejects.toThrow(/outside 8 held numbers/);
      await memory.release();
      await expect(memory.read(0, 1)).rejects.toThrow(/given back/);
    } finally {
      await host.dispose();
    }
  },
);
