/** What a pass over text slots costs a converted model on this machine, measured before or now. */
import { f32 } from "../../base/index.ts";
import type { CacheUser, PackedShowo } from "./packed.ts";

const [FEW, MANY] = [1, 32];
const RUNS = 3;

/** Milliseconds of a pass over so many slots. */
export async function packedPassCost(packed: PackedShowo): Promise<(slots: number) => number> {
  if (packed.passCosts) return betweenPoints(packed.passCosts);
  const past = packed.config.imageTokens + 3;
  const user: CacheUser = { rows: 0 };
  const pass = (slots: number) =>
    packed.use(user, past + MANY, async (cache) => {
      const ids = new Array<number>(slots).fill(0);
      await packed.head("text", await cache.forward(ids, past, 0, f32([1, slots, past + slots])));
    });
  const points: Record<number, number> = {};
  for (const slots of [FEW, MANY]) {
    points[slots] = Infinity;
    // The first run is not counted.
    for (let run = 0; run <= RUNS; run++) {
      const start = performance.now();
      await pass(slots);
      if (run) points[slots] = Math.min(points[slots], performance.now() - start);
    }
  }
  return betweenPoints(points);
}

/** Straight lines between measured passes; the last line goes on. */
export function betweenPoints(costs: Readonly<Record<number, number>>): (slots: number) => number {
  const points = Object.entries(costs)
    .map(([slots, ms]) => [Number(slots), ms] as const)
    .sort(([a], [b]) => a - b);
  return (slots) => {
    const found = points.findIndex(([at]) => at >= slots);
    const next = found < 0 ? points.length - 1 : Math.max(1, found);
    const [[left, low], [right, high]] = [points[next - 1], points[next]];
    return low + ((high - low) * (slots - left)) / (right - left);
  };
}
