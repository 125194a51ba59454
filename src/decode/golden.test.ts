/** The recorded runs of the published models: schedules, re-masking, whole denoising and Jacobi trajectories, growing. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  argmax,
  blank,
  canvasOf,
  collect,
  cutoff,
  type Direction,
  decodeJacobi,
  decodeMasked,
  extendWindow,
  type Grid,
  iterates,
  jacobiRound,
  type MaskedOptions,
  type Predictor,
  recorded,
  remaskScore,
  type Sampler,
  type ScheduleName,
  schedule,
  scheduledLength,
  sigmoid,
  stitch,
  UNDECIDED,
} from "./index.ts";

const folder = fileURLToPath(new URL("../../test/golden-data/show-o/", import.meta.url));
interface Case {
  id: string;
  file: string;
  params: Record<string, unknown>;
}
const manifest: { cases: Case[] } = JSON.parse(readFileSync(`${folder}manifest.json`, "utf8"));

/** Every field of a case as plain numbers, with its shape. */
function load(id: string) {
  const entry = manifest.cases.find((c) => c.id === id)!;
  const bytes = readFileSync(folder + entry.file);
  const headerSize = Number(bytes.readBigUInt64LE(0));
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    bytes.toString("utf8", 8, 8 + headerSize),
  );
  const field = (name: string): number[] => {
    const { dtype, data_offsets } = header[`${id}.${name}`];
    const buffer = new Uint8Array(bytes.subarray(8 + headerSize + data_offsets[0], 8 + headerSize + data_offsets[1]))
      .buffer;
    if (dtype === "F32") return [...new Float32Array(buffer)];
    if (dtype === "I64") return [...new BigInt64Array(buffer)].map(Number);
    return [...new Uint8Array(buffer)];
  };
  return {
    params: entry.params,
    field,
    has: (name: string) => `${id}.${name}` in header,
    shape: (name: string) => header[`${id}.${name}`].shape,
  };
}

/** Cuts a flat array into pieces of `size`. */
const pieces = (xs: number[], size: number): number[][] =>
  Array.from({ length: xs.length / size }, (_, i) => xs.slice(i * size, (i + 1) * size));

function near(got: ArrayLike<number>, want: readonly number[], atol: number, rtol: number): void {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(Math.abs(got[i] - w)).toBeLessThanOrEqual(atol + rtol * Math.abs(w));
}

test.each(["cosine", "linear", "pow0.5", "pow2", "sigmoid", "sigmoid_custom"])("schedule %s", (name) => {
  const { field } = load("schedules");
  const gamma = name === "sigmoid_custom" ? sigmoid(-4, 2, 0.7) : schedule(name as ScheduleName);
  const want = field(name);
  near(field("t").map(gamma), want, 2e-6, 2e-6);
});

test.each(["cosine", "linear", "pow2", "sigmoid"] as const)("mask lengths of %s are exact", (name) => {
  const { field, params } = load("mask_lens");
  for (const slots of params.num_tokens as number[]) {
    const rows = pieces(field(`${name}_${slots}`), 50);
    for (const [i, steps] of (params.step_counts as number[]).entries()) {
      const lengths = Array.from({ length: steps }, (_, s) => scheduledLength(schedule(name), (s + 1) / steps, slots));
      expect(lengths).toEqual(rows[i].slice(0, steps));
    }
  }
});

test.each(["0.0", "0.8", "4.5"])("re-masking at temperature %s", (temperature) => {
  const { field } = load(`mask_by_random_topk_T${temperature === "0.0" ? "0" : temperature}`);
  const [probs, uniforms, want, lengths] = ["probs", "uniforms", "confidence", "mask_len"].map(field);
  const score = Float32Array.from(probs, (p, i) => remaskScore(p, Number(temperature), uniforms[i]));
  near(score, want, 1e-4, 1e-5);
  const masked = lengths.flatMap((n, row) => {
    const ofRow = score.subarray(row * 20, row * 20 + 20);
    return Array.from(ofRow, (x) => Number(x < cutoff(ofRow, n)));
  });
  expect(masked).toEqual(field("masked"));
});

const SLOTS = 16;
const CODES = 64;
const OFFSET = 110;
const MASK = 174;
/** The image cells of whole sequences, as local ids. */
const cells = (sequences: number[]) =>
  pieces(sequences, 29).flatMap((s) => s.slice(12, 28).map((id) => (id === MASK ? UNDECIDED : id - OFFSET)));

const T2I = manifest.cases.map((c) => c.id).filter((id) => /^(t2i|turbo)_/.test(id));

/**
 * Replays a recorded run. The first and last pass return the recorded distribution where there is one; elsewhere the
 * pick gets its recorded probability and every other id an equal share of the rest.
 */
test.each(T2I)("masked denoising replays %s", async (id) => {
  const { params, field, has, shape } = load(id);
  const steps = params.steps as number;
  const rows = shape("final_ids")[0];
  const size = rows * SLOTS;
  const [stepIds, selected, scores, masked] = ["step_ids", "selected_probs", "confidence", "masked"].map((name) =>
    pieces(field(name), size),
  );
  const states = pieces(field("states"), rows * 29).map(cells);
  let pass = 0;
  const model: Predictor = {
    vocab: CODES,
    settle() {},
    async predict({ ids_BL }) {
      expect([...ids_BL]).toEqual(states[pass]);
      const whole = pass === 0 ? "probs_first_step" : pass === steps - 1 ? "probs_last_step" : "";
      const ids = stepIds[pass];
      const probs = selected[pass];
      pass++;
      if (has(whole)) return Float32Array.from(field(whole), Math.log);
      return Float32Array.from({ length: size * CODES }, (_, i) => {
        const p = Math.min(probs[Math.floor(i / CODES)], 0.999);
        return Math.log(ids[Math.floor(i / CODES)] === i % CODES ? p : (1 - p) / (CODES - 1));
      });
    },
  };
  // Whole distributions of the top-k cases are not recorded, so their picks are taken as recorded.
  const replay: Sampler = (_, at, row, slot) => stepIds[at - 1][row * SLOTS + slot];
  const options: MaskedOptions = {
    passes: steps,
    sample: params.sampler === "argmax" ? argmax : replay,
    schedule: params.schedule as ScheduleName,
    temperature: params.temperature as number,
    noise: has("gumbel_uniforms") ? recorded(pieces(field("gumbel_uniforms"), size), SLOTS) : undefined,
  };
  const all = await collect(
    decodeMasked(model, canvasOf(rows, SLOTS, Int32Array.from(cells(field("input_ids")))), options),
  );

  expect(all.length).toBe(steps);
  all.forEach((state, s) => {
    expect([...state.seen.ids_BL]).toEqual(states[s]);
    expect([...state.sampled.ids_BL]).toEqual(stepIds[s]);
    expect([...state.remasked.ids_BL]).toEqual(states[s + 1]);
    expect(Array.from(state.remasked.ids_BL, (x) => Number(x === UNDECIDED))).toEqual(masked[s]);
    expect([...state.maskLength_B]).toEqual(pieces(field("mask_len"), rows)[s]);
    expect(Math.abs(state.temperature - field("temperatures")[s])).toBeLessThanOrEqual(5e-4);
    near(state.sureness_BL, selected[s], 5e-4, 5e-4);
    near(state.score_BL, scores[s], 5e-4, 5e-4);
  });
  expect([...all.at(-1)!.canvas.ids_BL]).toEqual(field("final_ids"));
});

test.each(["noeos", "eos_round2"])("Jacobi rounds replay the recorded trajectories, %s", async (name) => {
  const { params, field } = load(`jacobi_${name}`);
  const rounds = params.rounds as number;
  const rows = Array.from({ length: rounds }, (_, r) => pieces(field(`trajectory_${r}`), 16));
  const size = 16 * rounds;
  /** Answers the recorded iterate behind the one it sees, and the last one with itself. */
  const model: Predictor = {
    vocab: 175,
    settle() {},
    async predict({ ids_BL }, { start, end }) {
      const round = rows[Math.floor(start / 16)];
      const base = end - 16;
      const at = round.findIndex((row) => row.every((id, i) => id === ids_BL[base + i]));
      expect(at).toBeGreaterThanOrEqual(0);
      const next = round[Math.min(at + 1, round.length - 1)];
      const logits = new Float32Array((end - start) * 175);
      for (let slot = start; slot < end; slot++) logits[(slot - start) * 175 + next[slot - base]] = 1;
      return logits;
    },
  };
  const forwardPasses: number[] = [];
  let canvas = blank(1, size);
  for (let r = 0; r < rounds; r++) {
    const span = { start: 16 * r, end: 16 * r + 16 };
    canvas.ids_BL.set(field(`init_tokens_${r}`), span.start);
    const round = await collect(jacobiRound(model, canvas, span, { sample: argmax }));
    expect(iterates(round).map((row) => [...row])).toEqual(rows[r]);
    forwardPasses.push(iterates(round).length);
    canvas = round.at(-1)!.canvas;
  }
  expect(forwardPasses).toEqual(params.forward_passes);
  const tokens = load(`ar_${name}`).field("tokens");
  expect([...canvas.ids_BL]).toEqual(tokens.slice(0, size));

  const guess = ({ start }: { start: number }) => Int32Array.from(field(`init_tokens_${start / 16}`));
  const options = { block: 16, sample: argmax, guess, stopId: 93 };
  const last = (await collect(decodeJacobi(model, blank(1, size), options))).at(-1)!;
  const answer = [...last.canvas.ids_BL.subarray(0, last.settled)];
  expect(answer.at(-1) === 93 ? answer.slice(0, -1) : answer).toEqual(field("answer"));
});

test.each(["left_right", "right_left_off1", "up_up"])("a picture grows as recorded, %s", (name) => {
  const { params, field } = load(`extrapolate_${name}`);
  let grid: Grid = { height: 4, width: 4, ids: Int32Array.from(field("source_ids")) };
  (params.directions as Direction[]).forEach((direction, round) => {
    const window = extendWindow(grid, direction, 4, params.offset as number);
    expect([...window.ids_BL]).toEqual(cells(field(`input_ids_${round}`)));
    const decided = canvasOf(1, SLOTS, Int32Array.from(field(`final_ids_${round}`)));
    grid = stitch(grid, direction, decided, params.offset as number);
  });
  expect([grid.height, grid.width]).toEqual(params.final_grid);
  expect([...grid.ids]).toEqual(field("decode_ids"));
});
