/** Windows that slide and drafts that are checked: always the text of one token at a time, in fewer passes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { uniformAt } from "../base/index.ts";
import {
  adaptiveWindow,
  argmax,
  blank,
  categorical,
  collect,
  decodeDrafted,
  decodeJacobi,
  decodeSliding,
  finish,
  fixedWindow,
  type Predictor,
  type Sampler,
  seeded,
} from "./index.ts";

const V = 11;
const hash = (...xs: number[]) => xs.reduce((h, x) => uniformAt(Math.floor(h * 2 ** 24), x), 0.5);

/**
 * Like text: what comes next depends on the token before it in some slots only. `noise` mixes in another model, so that a
 * drafter agrees with it mostly but not always. Refuses to be shown another text before what is settled.
 */
function causal(seed: number, noise = 0): Predictor & { passes: number } {
  let settled = 0;
  let known: number[] = [];
  return {
    vocab: V,
    passes: 0,
    settle(end) {
      settled = end;
    },
    async predict({ ids_BL }, { start, end }) {
      this.passes++;
      expect(start).toBeGreaterThanOrEqual(settled);
      expect([...ids_BL.subarray(0, known.length)]).toEqual(known);
      known = [...ids_BL.subarray(0, settled)];
      return Float32Array.from({ length: (end - start) * V }, (_, i) => {
        const [slot, v] = [start + Math.floor(i / V), i % V];
        const before = hash(seed, slot) < 0.6 ? 0 : slot > 0 ? ids_BL[slot - 1] : 7;
        return 3 * hash(seed, slot, before, v) + noise * hash(seed + 1, slot, before, v);
      });
    },
  };
}

const samplers: Record<string, () => Sampler> = {
  greedy: () => argmax,
  seeded: () => categorical({ noise: seeded(4, "sample") }),
};
const L = 40;
const alone = async (seed: number, sample: Sampler, stopId?: number) =>
  finish(decodeJacobi(causal(seed), blank(1, L), { block: 1, sample, stopId }));

test.each(Object.entries(samplers))(
  "%s: any window and any draft give the text of one token at a time",
  async (_, make) => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1000),
        fc.integer({ min: 1, max: 20 }),
        fc.nat(V),
        fc.integer({ min: 1, max: 4 }),
        async (seed, size, stopId, draftPasses) => {
          const want = await alone(seed, make(), stopId);
          const common = { sample: make(), stopId };
          const slid = await finish(decodeSliding(causal(seed), blank(1, L), { ...common, window: fixedWindow(size) }));
          const window = adaptiveWindow({ cost: (slots) => 5 + slots });
          const adapted = await finish(decodeSliding(causal(seed), blank(1, L), { ...common, window }));
          const drafter = causal(seed, 1.5);
          const drafted = await finish(
            decodeDrafted(causal(seed), drafter, blank(1, L), { ...common, block: size, draftPasses }),
          );
          for (const state of [slid, adapted, drafted]) {
            expect(state.canvas).toEqual(want.canvas);
            expect(state.settled).toBe(want.settled);
          }
          expect(drafted.draftPasses).toBe(drafter.passes);
        },
      ),
      { numRuns: 12 },
    );
  },
);

test("a window saves passes, and a drafter that mostly agrees saves the model's", async () => {
  const slid = await finish(decodeSliding(causal(1), blank(1, L), { sample: argmax, window: fixedWindow(16) }));
  expect(slid.pass).toBeLessThan(0.7 * L);
  // A drafter that is always right: every block of 16 is checked once.
  const options = { sample: argmax, block: 16, draftPasses: 16 };
  expect((await finish(decodeDrafted(causal(1), causal(1), blank(1, L), options))).pass).toBe(3);
  const useless = await finish(decodeDrafted(causal(1), causal(2), blank(1, L), { sample: argmax, block: 16 }));
  expect(useless.pass).toBeGreaterThan(3);
  expect(useless.pass).toBeLessThanOrEqual(L);
});

test("states of a sliding window are a trajectory to watch", async () => {
  const states = await collect(decodeSliding(causal(1), blank(1, L), { sample: argmax, window: fixedWindow(8) }));
  expect(states.map(({ pass }) => pass)).toEqual(states.map((_, i) => i + 1));
  expect(states.at(-1)!.settled).toBe(L);
  for (const [i, { span, settled }] of states.entries()) {
    expect(span).toEqual({ start: i ? states[i - 1].settled : 0, end: Math.min(L, span.start + 8) });
    expect(settled).toBeGreaterThan(span.start);
  }
});

test("a window grows where slots settle, shrinks where they do not, and where they are dear", () => {
  const after = (share: number, cost: (slots: number) => number) => {
    const window = adaptiveWindow({ cost, most: 24 });
    for (let pass = 0; pass < 300; pass++) {
      const slots = window.size();
      let settled = 1;
      while (settled < slots && uniformAt(1, pass, settled) < share) settled++;
      window.saw(slots, settled);
    }
    return window.size();
  };
  const flat = (slots: number) => 10 + 0.1 * slots;
  expect(after(1, flat)).toBe(24);
  expect(after(0, flat)).toBeLessThan(5);
  expect(after(0.7, flat)).toBeGreaterThan(after(0.4, flat));
  expect(after(0.7, (slots) => 10 + 5 * slots)).toBeLessThan(after(0.7, flat));
  expect(after(0.9, (slots) => slots)).toBe(1);
});

test("what cannot be decoded is refused", async () => {
  expect(() => fixedWindow(0)).toThrow(/window: bad window/);
  const window = fixedWindow(4);
  await expect(finish(decodeSliding(causal(1), blank(2, 4), { sample: argmax, window }))).rejects.toThrow(/one row/);
  const other = { ...causal(1), vocab: 12 };
  const options = { sample: argmax, block: 4 };
  await expect(finish(decodeDrafted(causal(1), other, blank(1, 4), options))).rejects.toThrow(/another vocabulary/);
  await expect(finish(decodeDrafted(causal(1), causal(2), blank(2, 4), options))).rejects.toThrow(/one row/);
  const none = { ...options, draftPasses: 0 };
  await expect(finish(decodeDrafted(causal(1), causal(2), blank(1, 4), none))).rejects.toThrow(/bad draftPasses/);
  const signal = AbortSignal.abort();
  await expect(finish(decodeSliding(causal(1), blank(1, 4), { sample: argmax, window, signal }))).rejects.toThrow(
    /cancelled/,
  );
});
