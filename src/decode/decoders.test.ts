/** The contract every decoder keeps, checked on toy models that behave like the real ones. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FewstepError, uniformAt } from "../base/index.ts";
import {
  argmax,
  blank,
  type Canvas,
  canvasOf,
  categorical,
  collect,
  type DecodeState,
  decodeJacobi,
  decodeMasked,
  decodeScales,
  finish,
  guide,
  handOver,
  iterates,
  jacobiRound,
  type MaskedOptions,
  type Predictor,
  randomGuess,
  type Sampler,
  type Span,
  seeded,
  segmentEnd,
  segmentPairs,
  squareScales,
  type Trajectory,
  UNDECIDED,
} from "./index.ts";

const V = 11;
/** A number in [0, 1) that depends on all of `xs`. */
const hash = (...xs: number[]) => xs.reduce((h, x) => uniformAt(Math.floor(h * 2 ** 24), x), 0.5);

/** Like text: a slot depends on the token before it only sometimes. Caches what it is told is settled. */
function toyCausal(seed = 1): Predictor & { passes: number; cells: number } {
  const settledIds: number[] = [];
  return {
    vocab: V,
    passes: 0,
    cells: 0,
    settle() {},
    async predict({ ids_BL }, { start, end }) {
      this.passes++;
      this.cells += end - start;
      expect([...ids_BL.subarray(0, settledIds.length)]).toEqual(settledIds);
      settledIds.push(...ids_BL.subarray(settledIds.length, start));
      const out = new Float32Array((end - start) * V);
      for (let s = start; s < end; s++) {
        const before = hash(seed, s) < 0.5 ? 0 : s > 0 ? ids_BL[s - 1] : 7;
        for (let v = 0; v < V; v++) out[(s - start) * V + v] = 3 * hash(seed, s, before, v);
      }
      return out;
    },
  };
}

/** Like a picture: decided neighbours change a slot. Rows of `names` differ, and know nothing of each other. */
const toyMasked = (names: readonly number[], seed = 2): Predictor => ({
  vocab: V,
  settle() {},
  async predict({ slots, ids_BL }) {
    const out = new Float32Array(names.length * slots * V);
    for (let i = 0; i < names.length * slots; i++) {
      const [slot, row] = [i % slots, Math.floor(i / slots)];
      const left = slot > 0 ? ids_BL[i - 1] : 20;
      const right = slot < slots - 1 ? ids_BL[i + 1] : 20;
      for (let v = 0; v < V; v++) out[i * V + v] = 4 * hash(seed, names[row], slot, left + 1, right + 1, v);
    }
    return out;
  },
});

/** Like VAR: sums up the scales it has seen, and prefills those that somebody else decided. */
function toyScales(rows: number, seed: number): Predictor & { log: string[] } {
  let cached = 0;
  const sum = new Array<number>(rows).fill(0);
  return {
    vocab: V,
    log: [],
    settle() {},
    async predict({ slots, ids_BL }, { start, end }) {
      this.log.push(`${cached}-${end}`);
      for (let row = 0; row < rows; row++)
        for (let s = cached; s < start; s++) sum[row] = (sum[row] * 31 + ids_BL[row * slots + s]) % 9973;
      cached = start;
      const width = end - start;
      return Float32Array.from({ length: rows * width * V }, (_, i) => {
        const row = Math.floor(i / (width * V));
        return 4 * hash(seed, sum[row], start + (Math.floor(i / V) % width), i % V);
      });
    },
  };
}

const drawn = (seed: number | number[] = 4): Sampler => categorical({ noise: seeded(seed, "sample") });
const zeros = ({ start, end }: Span) => new Int32Array(end - start);
const scales = squareScales([1, 2, 3, 4]);
const L = 30;
const masked = (model: Predictor, rows: number, options: Partial<MaskedOptions> = {}) =>
  decodeMasked(model, blank(rows, 64), { passes: 8, sample: drawn(), noise: seeded(6, "remask"), ...options });

const decoders: Record<string, () => Trajectory> = {
  masked: () => masked(toyMasked([0, 1]), 2),
  "masked, no noise": () => masked(toyMasked([0, 1]), 2, { sample: argmax, noise: undefined }),
  "masked, to the last": () => masked(toyMasked([0, 1]), 2, { minMasked: 0, passes: 3 }),
  "masked, partly decided": () =>
    decodeMasked(toyMasked([0]), halfDecided(), { passes: 5, sample: drawn(), noise: seeded(1, "remask") }),
  "masked guided": () => masked(guide(toyMasked([0]), toyMasked([0], 3), 1.75), 1),
  autoregressive: () => decodeJacobi(toyCausal(), blank(1, 48), { block: 1, sample: argmax, guess: zeros }),
  "jacobi greedy": () => decodeJacobi(toyCausal(), blank(1, 48), { block: 16, sample: argmax, guess: zeros }),
  "jacobi drawn": () => decodeJacobi(toyCausal(), blank(1, 50), { block: 16, sample: drawn(), guess: zeros }),
  scales: () => decodeScales(toyScales(3, 9), blank(3, L), { scales, sample: drawn() }),
  "scales, drafter to refiner": () =>
    decodeScales(drafted(toyScales(3, 9), toyScales(3, 10)), blank(3, L), { scales, sample: drawn() }),
};
const drafted = (drafter: Predictor, refiner: Predictor) => handOver(drafter, refiner, ({ start }) => start >= 5);
const halfDecided = () =>
  canvasOf(
    1,
    64,
    Int32Array.from({ length: 64 }, (_, i) => (i % 3 === 0 ? UNDECIDED : i % V)),
  );

describe.each(Object.entries(decoders))("%s", (name, make) => {
  test("keeps the contract", async () => {
    const states = await collect(make());
    expect((await collect(make())).at(-1)).toEqual(states.at(-1));
    const last = states.at(-1)!;
    expect(last.settled).toBe(last.canvas.slots);
    expect(last.canvas.ids_BL).not.toContain(UNDECIDED);
    expect(states.map((state) => state.pass)).toEqual(states.map((_, i) => i + 1));
    for (let i = 1; i < states.length; i++) {
      const [was, is] = [states[i - 1], states[i]];
      expect(is.settled).toBeGreaterThanOrEqual(was.settled);
      was.canvas.ids_BL.forEach((id, k) => {
        const kept = name.startsWith("masked") ? id !== UNDECIDED : k % was.canvas.slots < was.settled;
        if (kept) expect(is.canvas.ids_BL[k]).toBe(id);
      });
    }
  });

  test("its states are snapshots", async () => {
    const early: DecodeState[] = [];
    const copies: DecodeState[] = [];
    for await (const state of make()) {
      early.push(state);
      copies.push(structuredClone(state));
    }
    expect(early).toEqual(copies);
  });

  test("is cancelled by leaving the loop", async () => {
    let n = 0;
    for await (const _ of make()) if (++n === 1) break;
    expect(n).toBe(1);
  });
});

test("every decoder puts each pick in its place, keeps no hold of the canvas, and says what is settled", async () => {
  const place = (row: number, slot: number) => (row * 3 + slot * 5) % V;
  let told: number[] = [];
  const model: Predictor = {
    vocab: V,
    settle: (end) => void told.push(end),
    async predict({ rows }, { start, end }) {
      const ids = Array.from({ length: rows * (end - start) }, (_, i) =>
        place(Math.floor(i / (end - start)), start + (i % (end - start))),
      );
      return Float32Array.from({ length: ids.length * V }, (_, i) => Number(ids[Math.floor(i / V)] === i % V));
    },
  };
  const check = async (rows: number, decode: (canvas: Canvas) => Trajectory, settled: number[]) => {
    told = [];
    const canvas = blank(rows, L);
    const states = await collect(decode(canvas));
    canvas.ids_BL.fill(0);
    expect(states[0].seen.ids_BL).toContain(UNDECIDED);
    expect([...states.at(-1)!.canvas.ids_BL]).toEqual(
      Array.from({ length: rows * L }, (_, i) => place(Math.floor(i / L), i % L)),
    );
    expect(told).toEqual(settled);
  };
  await check(3, (canvas) => decodeMasked(model, canvas, { passes: 2, sample: argmax }), []);
  await check(3, (canvas) => decodeScales(model, canvas, { scales, sample: argmax }), [1, 5, 14, 30]);
  await check(1, (canvas) => decodeJacobi(model, canvas, { block: 20, sample: argmax }), [2, 20, 21, 30]);
});

describe("masked", () => {
  test("decides as many cells as the cosine says", async () => {
    const open = (c: Canvas) => c.ids_BL.filter((id) => id === UNDECIDED).length;
    const states = await collect(masked(toyMasked([0]), 1, { passes: 4 }));
    expect(states.map((s) => open(s.canvas))).toEqual([59, 45, 24, 0]);
    expect(states.map((s) => s.temperature)).toEqual([0.75, 0.375, 0.09375, 0]);
    const teacher = await collect(masked(toyMasked([0]), 1, { passes: 4, minMasked: 0, noise: undefined }));
    expect(teacher.map((s) => open(s.remasked))).toEqual([59, 45, 24, 0]);
  });

  test("leaves decided cells and whole decided rows alone", async () => {
    const start = canvasOf(2, 64, Int32Array.of(...halfDecided().ids_BL, ...new Array(64).fill(3)));
    const options = { passes: 6, sample: drawn(), noise: seeded(8, "remask") };
    const end = await finish(decodeMasked(toyMasked([0, 1]), start, options));
    start.ids_BL.forEach((id, i) => {
      if (id !== UNDECIDED) expect(end.canvas.ids_BL[i]).toBe(id);
    });
  });

  test("does not depend on how rows are batched", async () => {
    const of = async (seeds: number[]) => {
      const options = { sample: drawn(seeds), noise: seeded(seeds, "remask") };
      return (await finish(masked(toyMasked(seeds), seeds.length, options))).canvas.ids_BL;
    };
    const together = await of([5, 6, 7]);
    const apart = [...(await of([5])), ...(await of([6, 7]))];
    expect([...together]).toEqual(apart);
    expect(new Set([0, 1, 2].map((r) => together.slice(64 * r, 64 * r + 64).join())).size).toBe(3);
  });

  test("refuses nonsense", async () => {
    const bad = (options: Partial<MaskedOptions>) => collect(masked(toyMasked([0]), 1, options));
    await expect(bad({ passes: 0 })).rejects.toThrow(/passes: bad number of steps/);
    await expect(bad({ passes: -1 })).rejects.toThrow(/at least 1/);
    await expect(bad({ passes: 1.5 })).rejects.toThrow(FewstepError);
    await expect(bad({ temperature: Number.NaN })).rejects.toThrow(/re-mask temperature/);
    await expect(bad({ noise: undefined, temperature: 1 })).rejects.toThrow(/needs noise/);
    await expect(bad({ schedule: "pow" as "pow2" })).rejects.toThrow(/unknown mask schedule/);
    await expect(bad({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    const short: Predictor = { ...toyMasked([0]), predict: async () => new Float32Array(7) };
    await expect(collect(masked(short, 1))).rejects.toThrow(/1 rows x 64 slots x 11 ids = 704/);
    const broken: Predictor = { ...toyMasked([0]), predict: async () => new Float32Array(64 * V).fill(Number.NaN) };
    await expect(collect(masked(broken, 1))).rejects.toMatchObject({ code: "DIVERGED" });
    expect(() => canvasOf(2, 3, new Int32Array(5))).toThrow(/2 x 3 = 6 ids/);
  });
});

describe("jacobi", () => {
  const run = (model: Predictor, block: number, sample: Sampler, guess = zeros, stopId?: number) =>
    finish(decodeJacobi(model, blank(1, 48), { block, sample, guess, stopId }));

  test("ends where one token at a time ends, in fewer passes, whatever the model, noise, block, guess and stop", () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(999),
        fc.integer({ min: 2, max: 50 }),
        fc.boolean(),
        fc.nat(V),
        async (seed, block, greedy, stop) => {
          const [one, many] = [toyCausal(seed), toyCausal(seed)];
          const sample = greedy ? argmax : drawn(seed);
          const guess = randomGuess([1, 2, 3], seeded(seed, "guess"));
          const stopId = stop < V ? stop : undefined;
          const options = { sample, guess, stopId };
          const plain = await finish(decodeJacobi(one, blank(1, 48), { ...options, block: 1 }));
          const jacobi = await finish(decodeJacobi(many, blank(1, 48), { ...options, block }));
          expect(jacobi.canvas.ids_BL).toEqual(plain.canvas.ids_BL);
          expect(jacobi.settled).toBe(plain.settled);
          expect(many.passes).toBeLessThanOrEqual(one.passes);
        },
      ),
      { numRuns: 60 },
    ));

  test("needs fewer passes when the guess is better", async () => {
    const truth = (await run(toyCausal(), 1, argmax)).canvas.ids_BL;
    const [blind, shown] = [toyCausal(), toyCausal()];
    await run(blind, 16, argmax);
    const draft = ({ start, end }: Span) => truth.slice(start, end).map((id, i) => (i === 9 ? (id + 1) % V : id));
    expect((await run(shown, 16, argmax, draft)).canvas.ids_BL).toEqual(truth);
    expect(blind.passes).toBeLessThan(48);
    expect(shown.passes).toBeLessThan(blind.passes);
    const perfect = toyCausal();
    await run(perfect, 16, argmax, ({ start, end }) => truth.slice(start, end));
    expect(perfect.passes).toBe(3);
  });

  test("draws guesses from the prompt and the text so far", () => {
    const guess = randomGuess([5, 6], seeded(3, "guess"));
    const canvas = canvasOf(1, 400, new Int32Array(400).fill(UNDECIDED).fill(9, 0, 2));
    const ids = [...guess({ start: 2, end: 400 }, canvas)];
    expect(new Set(ids)).toEqual(new Set([5, 6, 9]));
    expect(ids.filter((id) => id === 9).length / 398).toBeCloseTo(0.5, 1);
    expect([...guess({ start: 2, end: 400 }, canvas)]).toEqual(ids);
    expect(() => randomGuess([], seeded(3, "guess"))({ start: 0, end: 1 }, canvas)).toThrow(/nothing to guess/);
  });

  test("stops behind the stop id and leaves the rest open", async () => {
    const truth = (await run(toyCausal(), 1, argmax)).canvas.ids_BL;
    const at = truth.indexOf(truth[20]);
    const last = await run(toyCausal(), 16, argmax, zeros, truth[20]);
    expect(last.settled).toBe(at + 1);
    expect([...last.canvas.ids_BL]).toEqual([...truth.slice(0, at + 1), ...new Array(47 - at).fill(UNDECIDED)]);
  });

  test("a round lists its iterates from the guess to the fixed point", async () => {
    const canvas = canvasOf(1, 16, new Int32Array(16));
    const states = await collect(jacobiRound(toyCausal(), canvas, { start: 0, end: 16 }, { sample: argmax }));
    const rows = iterates(states);
    const truth = (await run(toyCausal(), 1, argmax)).canvas.ids_BL.slice(0, 16);
    expect([...rows[0]]).toEqual(new Array(16).fill(0));
    expect(rows.at(-1)).toEqual(truth);
    expect(new Set(rows.map(String)).size).toBe(rows.length);
    for (const [k, row] of rows.entries()) expect(row.slice(0, k)).toEqual(truth.slice(0, k));
  });

  test("refuses several rows and bad blocks", async () => {
    const options = { block: 4, sample: argmax, guess: zeros };
    await expect(collect(decodeJacobi(toyCausal(), blank(2, 8), options))).rejects.toThrow(/one row/);
    await expect(collect(decodeJacobi(toyCausal(), blank(1, 8), { ...options, block: 0 }))).rejects.toThrow(/block/);
    const short = { ...options, guess: () => new Int32Array(2) };
    await expect(collect(decodeJacobi(toyCausal(), blank(1, 8), short))).rejects.toThrow(
      /guess leaves slots undecided/,
    );
    const foreign = { ...options, guess: () => new Int32Array(4).fill(V) };
    await expect(collect(decodeJacobi(toyCausal(), blank(1, 8), foreign))).rejects.toThrow(/0 to 10\n.*11/);
    const signal = AbortSignal.abort();
    await expect(collect(decodeJacobi(toyCausal(), blank(1, 8), { ...options, signal }))).rejects.toThrow(/cancelled/);
  });
});

describe("scales and composition", () => {
  const run = (model: Predictor, rows = 3) => finish(decodeScales(model, blank(rows, L), { scales, sample: drawn() }));

  test("handing over to an equal model changes nothing, and the refiner prefills once", async () => {
    const plain = (await run(toyScales(3, 9))).canvas.ids_BL;
    const refiner = toyScales(3, 9);
    expect((await run(drafted(toyScales(3, 9), refiner))).canvas.ids_BL).toEqual(plain);
    expect(refiner.log).toEqual(["0-14", "5-30"]);
    const mixed = (await run(drafted(toyScales(3, 9), toyScales(3, 10)))).canvas.ids_BL;
    for (let row = 0; row < 3; row++) {
      const part = (ids: Int32Array, from: number, to: number) => ids.slice(row * L + from, row * L + to);
      expect(part(mixed, 0, 5)).toEqual(part(plain, 0, 5));
      expect(part(mixed, 5, L)).not.toEqual(part(plain, 5, L));
    }
  });

  test("a masked canvas hands over by progress", async () => {
    const plain = await collect(masked(toyMasked([0]), 1));
    const model = handOver(toyMasked([0]), toyMasked([0], 3), (_, progress) => progress > 0.5);
    const mixed = await collect(masked(model, 1));
    expect(mixed[3].canvas).toEqual(plain[3].canvas);
    expect(mixed[4].logits_BTV).not.toEqual(plain[4].logits_BTV);
  });

  test("the models hear what is settled", async () => {
    const told: number[] = [];
    const listening = { ...toyScales(1, 9), settle: (end: number) => void told.push(end) };
    await run(
      handOver(guide(listening, toyScales(1, 2), 1), toyScales(1, 3), () => false),
      1,
    );
    expect(told).toEqual([1, 5, 14, 30]);
  });

  test("guidance is (1 + w) asked - w unasked, and free at 0", async () => {
    const answer = (...logits: number[]): Predictor => ({
      vocab: 2,
      settle() {},
      predict: async () => Float32Array.from(logits),
    });
    const never: Predictor = { ...answer(), predict: () => Promise.reject(new Error("must not run")) };
    const span = { start: 0, end: 1 };
    const guided = guide(answer(1, -2), answer(3, 0.5), (progress) => 4 * progress);
    expect([...(await guided.predict(blank(1, 1), span, 0.5))]).toEqual([-3, -7]);
    expect([...(await guide(answer(1, -2), never, 0).predict(blank(1, 1), span, 1))]).toEqual([1, -2]);
    expect(() => guide(answer(1), { ...answer(1), vocab: 3 }, 1)).toThrow(/different vocabularies/);
  });

  test("segments end where the published recipes end them", () => {
    const ends = (count: number, segments: number, kind: "text" | "image") =>
      Array.from({ length: count }, (_, i) => segmentEnd(i, count, segments, kind));
    expect(ends(8, 2, "image")).toEqual([4, 4, 4, 4, 7, 7, 7, 7]);
    expect(ends(6, 1, "image")).toEqual([5, 5, 5, 5, 5, 5]);
    expect(ends(10, 4, "text")).toEqual([1, 1, 3, 3, 5, 5, 7, 7, 9, 9]);
    expect(ends(7, 2, "text")).toEqual([3, 3, 3, 3, 6, 6, 6]);
    expect(ends(3, 8, "text")).toEqual([0, 1, 2]);
    expect(segmentPairs(["a", "b", "c", "d"], 2, "text").map(({ from, to }) => from + to)).toEqual(["ab", "bb", "cd"]);
  });
});
