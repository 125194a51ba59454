/** The whole public set, and that the runner sees what it should: wrong values, gaps, cases and folders it does not know. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { f32, i64 } from "../../src/base/index.ts";
import { compare } from "./compare.ts";
import { type CaseResult, runGolden } from "./run.ts";

const SET = fileURLToPath(new URL("../golden-data/show-o", import.meta.url));

test("every case of the public set passes", async () => {
  const results = await runGolden(SET);
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
  expect(results.length).toBe(50);
}, 300_000);

test("every case of the set of VAR and CoDe passes; the slow ones only when asked for", async () => {
  const results = await runGolden(fileURLToPath(new URL("../golden-data/var", import.meta.url)));
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
  expect(results.length).toBe(35);
}, 300_000);

interface Entry {
  id: string;
  group: string;
  file: string;
  outputs: string[];
  params: Record<string, unknown>;
  tol?: unknown;
}

describe("a copy of the set", () => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "fewstep-golden-"));
    cpSync(SET, copy, { recursive: true });
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  const entries = (): Entry[] => JSON.parse(readFileSync(join(SET, "manifest.json"), "utf8")).cases;

  /** Runs the copy with a manifest of these cases only, or of something else. */
  function runWith(change: { cases?: Entry[] } & Record<string, unknown>, filter?: string): Promise<CaseResult[]> {
    const manifest = JSON.parse(readFileSync(join(SET, "manifest.json"), "utf8"));
    writeFileSync(join(copy, "manifest.json"), JSON.stringify({ ...manifest, ...change }));
    return runGolden(copy, { filter });
  }

  /** Changes the first value of a field, by more than any tolerance. */
  function corrupt(file: string, name: string): void {
    const path = join(copy, file);
    const bytes = readFileSync(path);
    const headerSize = Number(bytes.readBigUInt64LE(0));
    const { dtype, data_offsets } = JSON.parse(bytes.toString("utf8", 8, 8 + headerSize))[name];
    const at = 8 + headerSize + data_offsets[0];
    if (dtype === "F32") bytes.writeFloatLE(bytes.readFloatLE(at) / 2 + 1, at);
    else bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(path, bytes);
  }

  test("one wrong value fails its case, by name", async () => {
    // One output of each quick case, another one for each.
    const quick = entries().filter(({ group }) => group !== "realsize" && group !== "distill");
    const matched = (outputs: string[]) => outputs.filter((name) => !/_unused$|^topk_indices$/.test(name));
    const wrong = quick.map(({ outputs }, i) => matched(outputs)[i % matched(outputs).length]);
    for (const [i, { id, file }] of quick.entries()) corrupt(file, `${id}.${wrong[i]}`);
    const results = await runWith({ cases: quick });
    expect(results.map(({ id, ok }) => `${id} ${ok}`)).toEqual(quick.map(({ id }) => `${id} false`));
    for (const [i, { report }] of results.entries()) expect(report.split(/(?:^|; )([^:]+): /)).toContain(wrong[i]);
    for (const { file } of quick) cpSync(join(SET, file), join(copy, file));
  });

  const layout = entries().find(({ id }) => id === "prompt_lm")!;

  test.each<[what: string, change: Partial<Entry>, report: RegExp]>([
    ["an unknown case", { id: "something_new" }, /unknown case in group prompting/],
    ["an unknown group", { group: "audio" }, /unknown group of cases.*got +audio/s],
    ["a field that is not compared", { outputs: ["labels", "more"] }, /recorded but not compared: more/],
    ["a parameter of another type", { params: { ...layout.params, max_seq_len: "long" } }, /max_seq_len: a parameter/],
    ["a parameter that changes the result", { params: { ...layout.params, max_seq_len: 28 } }, /expected 116 values/],
    ["a word outside the vocabulary", { params: { ...layout.params, texts: ["zebra"] } }, /got +zebra/],
    ["a file that is missing", { file: "cases_none.safetensors" }, /cases_none/],
  ])("%s fails", async (_, change, report) => {
    const [result] = await runWith({ cases: [{ ...layout, ...change }] });
    expect(result.ok).toBe(false);
    expect(result.report).toMatch(report);
  });

  test("a filter picks cases by part of their id, at least one", async () => {
    const all = { cases: entries() };
    expect((await runWith(all, "prompt_t2i")).map(({ id }) => id)).toEqual(["prompt_t2i", "prompt_t2i_gen"]);
    await expect(runWith(all, "prompt_x")).rejects.toThrow(/no case has this in its id/);
  });

  test("what is no folder of this kind is refused", async () => {
    await expect(runGolden(join(copy, "nowhere"))).rejects.toThrow(/nowhere.*there is no manifest to read/s);
    await expect(runWith({ schema: 2 })).rejects.toThrow(/not a manifest of golden vectors\n +got +schema/);
    await expect(runWith({ cases: [{ ...layout, tol: { atol: "small" } }] })).rejects.toThrow(/cases\.0\.tol\.atol/);
    const { model } = JSON.parse(readFileSync(join(SET, "manifest.json"), "utf8"));
    await expect(runWith({ model: { ...model, mask_token_id: 3 } })).rejects.toThrow(
      /mask_token_id: the model of this/,
    );
    writeFileSync(join(copy, "manifest.json"), "{");
    await expect(runGolden(copy)).rejects.toThrow(/the manifest is not JSON/);
  });
});

describe("comparing", () => {
  const near = { atol: 0.1, rtol: 0.01 };
  const values = (...xs: number[]) => f32([xs.length], xs);

  test("errors up to atol + rtol * |want| pass, the largest is told", () => {
    const { problem, ratio, error, allowed } = compare("x", [10.15, 1], values(10, 1.0625), near);
    expect(problem).toBeUndefined();
    expect([ratio, error, allowed].map((x) => Number(x.toFixed(4)))).toEqual([0.75, 0.15, 0.2]);
    expect(compare("x", [10.25], values(10), near).problem).toBe(
      "1 of 1 values differ, the worst 10.25 where 10 is recorded, at 0 of [1]",
    );
  });

  test("integers must be equal, NaN is never right, infinities are right where they are recorded", () => {
    expect(compare("x", [3], i64([1], [3]), near).problem).toBeUndefined();
    expect(compare("x", [4], i64([1], [3]), { atol: 5, rtol: 0 }).problem).toMatch(/1 of 1/);
    expect(compare("x", [Number.NaN], values(1), near)).toMatchObject({ ratio: Infinity });
    expect(compare("x", [Number.NaN], values(1), near).problem).toMatch(/worst NaN/);
    expect(compare("x", [-Infinity], values(-Infinity), near).problem).toBeUndefined();
    expect(compare("x", [0], values(-Infinity), near).problem).toMatch(/1 of 1/);
  });

  test("another number of values or another shape is wrong, axes of size 1 are free", () => {
    expect(compare("x", [1, 2], values(1), near).problem).toBe("expected 1 values [1], got 2");
    const want = f32([1, 2, 3], [1, 2, 3, 4, 5, 6]);
    expect(compare("x", f32([2, 3], want.data), want, near).problem).toBeUndefined();
    expect(compare("x", f32([3, 2], want.data), want, near).problem).toMatch(/expected shape \[1,2,3\], got \[3,2\]/);
  });
});
