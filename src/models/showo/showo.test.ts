/** Show-o against recorded reference values, and every saving of inference against the plain full forward. */
import { expect, test } from "vitest";
import { goldenShowo as config } from "../../../test/golden-config.ts";
import { f32, i64, type NdArray } from "../../base/index.ts";
import { argmax, blank, collect, decodeJacobi, decodeMasked } from "../../decode/index.ts";
import { readSafetensors } from "../../files/index.ts";
import * as showo from "./index.ts";

const vocabulary = showo.vocabularyOf(config);
const read = (file: string) =>
  readSafetensors(new URL(`../../../test/golden-data/show-o/${file}`, import.meta.url).pathname);
const state = read("weights.safetensors");
const weights = new Map(state.names.map((n) => [n, state.get(n)]));
const forward = read("cases_forward.safetensors");
const programs = showo.showoPrograms(config, (n) => weights.get(n), { threads: 1 });

const rowsOf = ({ data, shape }: NdArray) =>
  Array.from({ length: shape[0] }, (_, b) => Array.from(data.slice(b * shape[1], (b + 1) * shape[1]), Number));
const largestError = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i])), 0);

async function fullLogits(rows: number[][], mask: NdArray<"bool">): Promise<Float32Array> {
  const length = rows[0].length;
  const out = await (await programs.full()).run({
    ids: i64([rows.length, length], rows.flat()),
    positions: showo.positionsFrom(0, length),
    bias: showo.additiveMask(mask),
  });
  return out.logits.data as Float32Array;
}

const MASKS: Record<string, (rows: number[][]) => NdArray<"bool">> = {
  fwd_t2i_cfg: (rows) => showo.predictNextMask(rows, vocabulary, { hidePads: true }),
  fwd_lm: (rows) => showo.predictNextMask(rows, vocabulary, { hidePads: false }),
  fwd_mmu: (rows) => showo.understandingMask(rows, vocabulary),
};

test.each(Object.keys(MASKS))("%s: masks and logits are the recorded ones", async (id) => {
  const rows = rowsOf(forward.get(`${id}.input_ids`));
  const mask = MASKS[id](rows);
  expect(Array.from(mask.data)).toEqual(Array.from(forward.get(`${id}.mask_allowed`).data, Number));
  const want = forward.get(`${id}.logits`).data as Float32Array;
  expect(largestError(await fullLogits(rows, mask), want)).toBeLessThan(2e-4);
});

/** The same network with embeddings of cells, and as they are defined: codes and all other ids with other embeddings. */
function withCells(codes: number[]) {
  const table = f32([17, config.hiddenSize]);
  for (let i = 0; i < table.data.length; i++) table.data[i] = Math.sin(i * 1.7);
  const tokens = weights.get("showo.model.embed_tokens.weight") as NdArray<"float32">;
  const defined = f32([...tokens.shape], tokens.data.slice());
  for (let id = 0; id < vocabulary.size; id++) {
    const cell = codes.indexOf(id - vocabulary.image) + 1;
    for (let i = 0; i < config.hiddenSize; i++)
      defined.data[id * config.hiddenSize + i] += table.data[cell * config.hiddenSize + i];
  }
  const open = (config: showo.ShowoConfig, more: [string, NdArray][]) => {
    const all = new Map([...weights, ...more]);
    return showo.showoPrograms(config, (name) => all.get(name), { threads: 1 });
  };
  return {
    told: open({ ...config, cellEmbeddings: true }, [["showo.model.embed_cells.weight", table]]),
    defined: open(config, [["showo.model.embed_tokens.weight", defined]]),
  };
}

test("embeddings of cells: codes that know where they lie, behind any prompt and before any question", async () => {
  const codes = Array.from({ length: 16 }, (_, i) => 3 * i + 1);
  const { told, defined } = withCells(codes);
  const [canvas, slots] = [{ ...blank(2, 16), ids_BL: Int32Array.from([...codes, ...codes]) }, blank(1, 4)];
  for (const guidance of [0, 1]) {
    const drawn = async (programs: showo.ShowoPrograms) => {
      const predictor = await showo.imagePredictor(programs, { prompts: [[0, 1, 2, 3], [7]], guidance });
      return predictor.predict(canvas, { start: 0, end: 16 }, 1);
    };
    const [got, want, without] = await Promise.all([told, defined, programs].map(drawn));
    expect(largestError(got, want)).toBeLessThan(1e-4);
    expect(largestError(without, want)).toBeGreaterThan(0.1);
  }
  const read = async (programs: showo.ShowoPrograms) => {
    const prompt = showo.questionIds(config, codes, [10, 12]);
    const predictor = await showo.textPredictor(programs, { prompt, slots: 4 });
    const first = Array.from(await predictor.predict(slots, { start: 0, end: 2 }, 0));
    predictor.settle(1);
    return [...first, ...(await predictor.predict(slots, { start: 1, end: 4 }, 0))];
  };
  const [got, want, without] = await Promise.all([told, defined, programs].map(read));
  expect(largestError(got, want)).toBeLessThan(1e-4);
  expect(largestError(without, want)).toBeGreaterThan(0.1);
});

test("drawing on cached prefixes gives the logits of the padded full forward, guided and not", async () => {
  const prompts = [[0, 1, 2, 3], [7]];
  const canvas = blank(2, 16);
  canvas.ids_BL.set([5, 6, 63], 3);
  const cells = (row: number) => canvas.ids_BL.subarray(row * 16, row * 16 + 16);
  const padded = (text: number[], row: number) => showo.textToImageIds(config, text, cells(row));
  const plain = async (texts: number[][]) => {
    const rows = texts.map(padded);
    const logits = await fullLogits(rows, showo.predictNextMask(rows, vocabulary, { hidePads: true }));
    const length = rows[0].length;
    return rows.flatMap((_, b) =>
      Array.from({ length: 16 }, (_, i) => {
        const at = (b * length + config.maxTextTokens + 2 + i) * vocabulary.size;
        return Array.from(logits.subarray(at + vocabulary.image, at + vocabulary.mask));
      }).flat(),
    );
  };
  const asked = await plain(prompts);
  const unasked = await plain([[], []]);
  for (const guidance of [0, 1.75]) {
    const predictor = await showo.imagePredictor(programs, { prompts, guidance });
    const got = await predictor.predict(canvas, { start: 0, end: 16 }, 1);
    const want = asked.map((a, i) => (1 + guidance) * a - guidance * unasked[i]);
    expect(largestError(got, want)).toBeLessThan(1e-4);
  }
});

test("text with a cache equals greedy decoding by full forwards, token by token and by Jacobi", async () => {
  const prompt = showo.questionIds(config, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], [10, 12, 30, 11]);
  const slots = 24;
  const plain: number[] = [...prompt];
  for (let i = 0; i < slots; i++) {
    const logits = await fullLogits([plain], showo.understandingMask([plain], vocabulary));
    plain.push(argmax(logits.subarray((plain.length - 1) * vocabulary.size, plain.length * vocabulary.size), 0, 0, 0));
  }
  for (const block of [1, 4, 16]) {
    const model = await showo.textPredictor(programs, { prompt, slots, columns: "all" });
    const states = await collect(
      decodeJacobi(model, blank(1, slots), {
        block,
        sample: argmax,
        guess: ({ start, end }) => new Int32Array(end - start),
      }),
    );
    expect(Array.from(states.at(-1)!.canvas.ids_BL)).toEqual(plain.slice(prompt.length));
    if (block === 1) expect(model.evaluated).toBe(slots);
  }
});

test("answers hold only text ids unless all columns are asked for", async () => {
  const prompt = showo.questionIds(config, new Int32Array(16), [1]);
  const model = await showo.textPredictor(programs, { prompt, slots: 4 });
  expect(model.vocab).toBe(100);
  const logits = await model.predict(blank(1, 4), { start: 0, end: 1 }, 0);
  expect(logits.length).toBe(100);
});

test("a batch of pictures equals each picture alone", async () => {
  const prompts = [[0, 1], [4, 5, 6, 7, 8], []];
  const draw = async (which: number[][]) => {
    const predictor = await showo.imagePredictor(programs, { prompts: which, guidance: 1 });
    const states = await collect(decodeMasked(predictor, blank(which.length, 16), { passes: 4, sample: argmax }));
    return Array.from(states.at(-1)!.canvas.ids_BL);
  };
  const alone = (await Promise.all(prompts.map((p) => draw([p])))).flat();
  expect(await draw(prompts)).toEqual(alone);
});

test("ids outside the picture's range are refused", () => {
  expect(() => showo.codesOf(config, [3])).toThrow(/expected an id from 110 to 174/);
  expect(f32([1], [1]).data[0]).toBe(1);
});
