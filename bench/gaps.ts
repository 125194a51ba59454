/** How long a program's event loop is kept busy while a model in a thread of its own draws and describes. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { loadModel } from "fewstep";
import { DEFAULT_MODEL, embeddedModels } from "fewstep/models";

export interface Gap {
  what: string;
  /** Of the whole task. */
  ms: number;
  longest: number;
}

const RESOLUTION = 1;

async function longestGap(what: string, work: () => PromiseLike<unknown>): Promise<Gap> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  delays.enable();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  delays.disable();
  // It counts from one tick to the next, so that nothing at all is one resolution.
  return { what, ms, longest: delays.max / 1e6 - RESOLUTION };
}

/** Of the embedded model, with the settings it has by default; none where there is no such model. */
export async function eventLoopGaps(): Promise<Gap[]> {
  if (!embeddedModels().includes(DEFAULT_MODEL)) return [];
  await using model = await loadModel(DEFAULT_MODEL, { host: "worker" });
  const draw = (n: number) => model.generateImage("two red cars", { seed: 1, n });
  const { images } = await draw(1);
  await model.describe(images[0]);
  return [
    await longestGap("drawing a picture", () => draw(1)),
    await longestGap("drawing 8 pictures together", () => draw(8)),
    await longestGap("describing a picture", () => model.describe(images[0])),
  ];
}
