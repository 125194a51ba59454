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
  type Window,
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

test("nothing is corrected behind an end that the model guessed", async () => {
  // Knows the whole text at once: 5 tokens and the end.
  const all = [1, 2, 3, 4, 5, 9, 6, 6, 6, 6, 6, 6];
  const spans: number[][] = [];
  const knowing: Predictor = {
    vocab: V,
    settle() {},
    async predict(_, { start, end }) {
      spans.push([start, end]);
      return Float32Array.from({ length: (end - start) * V }, (_, i) =>
        Number(i % V === all[start + Math.floor(i / V)]),
      );
    },
  };
  const options = {
    sample: argmax,
    window: fixedWindow(8),
    stopId: 9,
    guess: () => Int32Array.from({ length: 8 }, () => 9),
  };
  const { canvas, settled, pass } = await finish(decodeSliding(knowing, blank(1, 12), options));
  expect([...canvas.ids_BL.subarray(0, settled)]).toEqual([1, 2, 3, 4, 5, 9]);
  // Ends among the first guesses, which are no model's, stop nothing.
  expect(spans).toEqual([
    [0, 8],
    [1, 6],
  ]);
  expect(pass).toBe(2);
});

/** Texts of `length` whose slots are right with these chances by how often they were corrected; what each cost in the end. */
function write(window: Window, shares: number[], cost: (slots: number) => number, length: number, texts = 200) {
  const costs: number[] = [];
  for (let text = 0; text < texts; text++) {
    const corrected = new Uint32Array(length + 100);
    let total = 0;
    for (let settled = 0, pass = 0; settled < length; pass++) {
      const end = Math.min(settled + window.size(), corrected[length - 1] ? length : settled + 100);
      total += cost(end - settled);
      const start = settled;
      while (settled < end - 1 && uniformAt(77, text, pass, settled) < shares[Math.min(2, corrected[settled])])
        settled++;
      settled++;
      window.saw(corrected.slice(start, end), settled - start);
      for (let slot = start; slot < end; slot++) corrected[slot]++;
    }
    window.wrote(length);
    costs.push(total);
  }
  return costs.slice(texts / 2).reduce((a, b) => a + b) / (texts / 2);
}

test.each([
  ["a student, dear passes, short texts", [0.05, 0.85, 0.9], (n: number) => 2.2 + 0.08 * n, 7],
  ["a student, dear slots", [0.05, 0.85, 0.9], (n: number) => 2 + n, 7],
  ["a teacher, who is seldom right", [0.05, 0.2, 0.4], (n: number) => 3 + 0.1 * n, 20],
  ["one who is never right", [0, 0, 0], (n: number) => 10 + n, 20],
  ["long texts", [0.1, 0.9, 0.95], (n: number) => 5 + 0.1 * n, 60],
] as const)("a window costs as little as the best fixed one: %s", (_, shares, cost, length) => {
  const own = write(adaptiveWindow({ cost }), [...shares], cost, length);
  const fixed = Array.from({ length: 32 }, (_, i) => write(fixedWindow(i + 1), [...shares], cost, length));
  expect(own).toBeLessThan(1.03 * Math.min(...fixed));
  expect(Math.max(...fixed)).toBeGreaterThan(1.15 * own);
});

test("slots that cost what passes cost are taken one by one", () => {
  const window = adaptiveWindow({ cost: (slots) => slots });
  write(window, [0, 0.5, 0.6], (slots) => slots, 20);
  expect(window.size()).toBe(1);
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
