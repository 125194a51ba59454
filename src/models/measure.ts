/** Measures what passes of a converted model cost on this machine, for the plan of how to decode text. */
import { f32, throwIfAborted } from "../base/index.ts";
import { createHost, type HostKind } from "../runtime/index.ts";
import type { Costs } from "./costs.ts";
import { readModelConfig } from "./load.ts";
import { openPacked } from "./packed-model.ts";
import { type Plan, writePlan } from "./plan.ts";
import type { CacheUser, PackedDType } from "./showo/index.ts";
import { bestWindow, fewRowsOf, geometricSettled, passCosts, WINDOWS } from "./windows.ts";

/** Rows of a picture and a question that text is decoded behind. */
const PAST = 300;
const ROUNDS = 3;
/**
 * How often a further guess is right: Show-o Turbo settles 16 tokens in 10.57 passes (Show-o Turbo paper, table 3), which
 * is this chance in a chain that ends at the first wrong guess.
 */
const ACCEPTANCE = 0.34;

export interface MeasureOptions {
  threads?: number;
  host?: HostKind;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Shortest milliseconds of a pass of each window with these weights. */
async function costsOf(folder: string, dtype: PackedDType, options: MeasureOptions, tick: () => void): Promise<Costs> {
  const config = await readModelConfig(folder);
  const host = createHost({ host: options.host, threads: options.threads, spinning: false });
  try {
    const packed = openPacked(folder, config, [dtype], host);
    const user: CacheUser = { rows: 0 };
    const costs: Record<number, number> = {};
    for (const window of WINDOWS) {
      throwIfAborted(options.signal);
      const ids = Array.from({ length: window }, (_, i) => i % config.showo.llmVocabSize);
      const bias = f32([1, window, PAST + window]);
      const pass = () =>
        packed.use(user, PAST + WINDOWS[WINDOWS.length - 1], async (cache) => {
          const hidden = await cache.forward(ids, PAST, 0, bias);
          await packed.head("text", hidden);
        });
      await pass();
      costs[window] = Infinity;
      for (let round = 0; round < ROUNDS; round++) {
        const start = performance.now();
        await pass();
        costs[window] = Math.min(costs[window], performance.now() - start);
      }
      tick();
    }
    return costs;
  } finally {
    await host.dispose();
  }
}

/** Measures, decides and remembers; loading uses it from then on. */
export async function measurePlan(
  folder: string,
  dtypes: readonly PackedDType[],
  options: MeasureOptions = {},
): Promise<Plan> {
  let done = 0;
  const total = dtypes.length * WINDOWS.length;
  const costs: Plan["costs"] = {};
  for (const dtype of dtypes)
    costs[dtype] = await costsOf(folder, dtype, options, () => options.onProgress?.(++done, total));
  const [first, second = first] = dtypes.map((dtype) => costs[dtype]!);
  const fewRows = fewRowsOf(first, second);
  const best = passCosts({ fewRows, costs }, dtypes);
  const plan = { fewRows, textBlock: bestWindow(best, geometricSettled(ACCEPTANCE)), costs };
  await writePlan(folder, dtypes, plan);
  return plan;
}
