/** The presets of published sizes have exactly the tensors of the published files: names and shapes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MAGVIT_PRESETS } from "./magvit/index.ts";
import { SHOWO_PRESETS } from "./showo/index.ts";
import { magvitBuffers, magvitParameters, type Shapes, showoParameters } from "./weights.ts";

type Published = Record<"show-o" | "magvitv2", Record<string, [shape: number[], dtype: string]>>;
const published: Published = JSON.parse(
  readFileSync(new URL("../../test/golden-data/show-o/published_shapes.json", import.meta.url), "utf8"),
);

const sorted = (shapes: Shapes) => Object.fromEntries([...shapes].map(([name, shape]) => [name, [...shape]]).sort());

test.each([
  ["showo-256", showoParameters(SHOWO_PRESETS["showo-256"]), published["show-o"], 437, []],
  ["showo-512", showoParameters(SHOWO_PRESETS["showo-512"]), published["show-o"], 437, []],
  [
    "magvitv2",
    magvitParameters(MAGVIT_PRESETS.magvitv2),
    published.magvitv2,
    382,
    Object.keys(magvitBuffers(MAGVIT_PRESETS.magvitv2)),
  ],
] as const)("%s", (_name, parameters, files, tensors, buffers) => {
  expect(Object.keys(files)).toHaveLength(tensors);
  const learnt = Object.entries(files).filter(([name]) => !(buffers as readonly string[]).includes(name));
  expect(sorted(parameters)).toEqual(sorted(new Map(learnt.map(([name, [shape]]) => [name, shape]))));
});
