/** Starting rows of codes: alike where their bits are, and of the deviation that every parameter starts with. */
import { expect, test } from "vitest";
import { showoParameters } from "../models/index.ts";
import { SHOWO_PRESETS, vocabularyOf } from "../models/showo/index.ts";
import { startingCodes } from "./code-start.ts";

const config = { ...SHOWO_PRESETS.mini, codebookSize: 256 };
const start = startingCodes(config, 8, 7);

test("they are parameters of the model, in its shapes", () => {
  const shapes = new Map(showoParameters(config));
  for (const [name, { shape }] of Object.entries(start)) expect(shapes.get(name)).toEqual(shape);
});

test("codes that share seven of eight bits are alike, opposites are opposite", () => {
  for (const { data, shape } of Object.values(start)) {
    const values = Array.from(data, Number);
    const row = (code: number) => {
      const from = (vocabularyOf(config).image + code) * shape[1];
      return values.slice(from, from + shape[1]);
    };
    const dot = (a: number, b: number) => row(a).reduce((sum, x, i) => sum + x * row(b)[i], 0);
    const cosine = (a: number, b: number) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    expect(cosine(0b10110011, 0b10110010)).toBeGreaterThan(0.5);
    expect(cosine(0b10110011, 0b01001100)).toBeLessThan(-0.7);
    const deviation = Math.sqrt(values.reduce((sum, x) => sum + x ** 2, 0) / values.length);
    expect(deviation).toBeCloseTo(0.02, 3);
  }
});
