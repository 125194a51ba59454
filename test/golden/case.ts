/** One case: its recorded arrays, its parameters, and the comparisons made of it so far. */
import { fail, type NdArray, sizeOf } from "fewstep/base";
import type { Safetensors } from "fewstep/files";
import { z } from "zod";
import { type Comparison, compare, type Tolerance, type Values } from "./compare.ts";
import type { CaseEntry } from "./manifest.ts";

export interface Case {
  readonly id: string;
  /** Parameters of the manifest that fit `shape`. Errors: one is missing or of another type. */
  params<S extends z.ZodRawShape>(shape: S): z.output<z.ZodObject<S>>;
  has(field: string): boolean;
  /** Recorded names that begin with `prefix`. */
  fields(prefix: string): string[];
  get(field: string): NdArray;
  /** All values of a field as numbers. */
  numbers(field: string): number[];
  /** The same in runs of the last `axes` axes: rows of [B, L] by default. */
  rows(field: string, axes?: number): number[][];
  /** Compares with the recorded values. */
  check(field: string, got: Values): void;
  /** Compares one value with a parameter that records it. */
  expect(name: string, got: number | string | boolean, want: number | string | boolean): void;
  readonly comparisons: readonly Comparison[];
  /** Recorded outputs that were not compared. */
  missed(): string[];
}

/** Recorded, but nothing to match: what the reference returns and ignores, and an order that does not matter. */
const UNMATCHED = /_unused$|^topk_indices$/;

export function openCase(entry: CaseEntry, file: Safetensors): Case {
  const comparisons: Comparison[] = [];
  const get = (field: string) => file.get(`${entry.id}.${field}`);
  const numbers = (field: string) => Array.from(get(field).data as ArrayLike<number | bigint>, Number);
  return {
    id: entry.id,
    params(shape) {
      const parsed = z.object(shape).safeParse(entry.params);
      if (parsed.success) return parsed.data;
      const { path, message } = parsed.error.issues[0];
      return fail("a parameter of the case does not fit", { where: path.join("."), got: message, code: "BAD_FILE" });
    },
    has: (field) => file.has(`${entry.id}.${field}`),
    fields: (prefix) =>
      file.names.filter((n) => n.startsWith(`${entry.id}.${prefix}`)).map((n) => n.slice(entry.id.length + 1)),
    get,
    numbers,
    rows: (field, axes = 1) => cut(numbers(field), sizeOf(get(field).shape.slice(-axes))),
    check(field, got) {
      comparisons.push(compare(field, got, get(field), toleranceOf(entry.tol, field)));
    },
    expect(name, got, want) {
      const problem = got === want ? undefined : `got ${got} where ${want} is recorded`;
      comparisons.push({ field: name, exact: true, ratio: problem ? Infinity : 0, error: 0, allowed: 0, problem });
    },
    comparisons,
    missed: () => entry.outputs.filter((name) => !UNMATCHED.test(name) && !comparisons.some((c) => c.field === name)),
  };
}

/** Runs of `length` values. */
export const cut = <T>(values: readonly T[], length: number): T[][] =>
  Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));

const EXACT: Tolerance = { atol: 0, rtol: 0 };

function toleranceOf(tol: CaseEntry["tol"], field: string): Tolerance {
  if (isExact(tol.exact, field)) return EXACT;
  const named = Object.keys(tol.fields).find((name) =>
    name.endsWith("*") ? field.startsWith(name.slice(0, -1)) : field === name,
  );
  return named === undefined ? tol : tol.fields[named];
}

function isExact(exact: CaseEntry["tol"]["exact"], field: string): boolean {
  if (exact === true) return true;
  if (typeof exact === "object") return exact.includes(field);
  const [, except] = /^all(?: but (.+))?$/.exec(exact) ?? fail("a tolerance is not understood", { got: exact });
  return !(except ?? "").split(/[\s,]+/).includes(field);
}
