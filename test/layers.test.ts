/** The shape of src: imports along the arrows, a public face for every folder, files short enough to read. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { checkLayers, type LayerTable, layerOf, sourceFiles } from "./layers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const src = join(root, "src");
const table: LayerTable = JSON.parse(readFileSync(join(root, "layers.json"), "utf8"));
const MAX_LINES = 400;

test("every import of src follows layers.json", () => {
  const { imports, wrong } = checkLayers(src, table);
  expect(wrong).toEqual([]);
  expect(imports).toBeGreaterThan(100);
});

test("every folder of src is in layers.json, below all it may import", () => {
  const layers = Object.keys(table);
  expect(layers).toEqual(expect.arrayContaining([...new Set(sourceFiles(src).map(layerOf))]));
  for (const [i, layer] of layers.entries())
    expect(layers.slice(0, i), `what ${layer} may import`).toEqual(expect.arrayContaining([...table[layer]]));
});

test("every folder of src has an index.ts; the command line has commands instead", () => {
  const folders = [...new Set(sourceFiles(src).map(layerOf))].filter((layer) => layer !== "index" && layer !== "cli");
  expect(folders.filter((folder) => !existsSync(join(src, folder, "index.ts")))).toEqual([]);
});

test(`no file of src is longer than ${MAX_LINES} lines`, () => {
  const lines = (file: string) => readFileSync(join(src, file), "utf8").trimEnd().split("\n").length;
  expect(sourceFiles(src).filter((file) => lines(file) > MAX_LINES)).toEqual([]);
});

const made = mkdtempSync(join(tmpdir(), "fewstep-layers-"));
afterAll(() => rmSync(made, { recursive: true }));

/** A source tree of these files. */
function tree(files: Record<string, string>): string {
  const folder = mkdtempSync(join(made, "src-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const arrows: LayerTable = { base: [], decode: ["base"], models: ["base", "decode"] };

test.each([
  ["a plain import", 'import { x } from "../models/index.ts";'],
  ["a type", 'import type { X } from "../models/index.ts";'],
  ["an export", 'export * from "../models/index.ts";'],
  ["a late import", 'export const late = () => import("../models/index.ts");'],
  ["an import for its effect", 'import "../models/index.ts";'],
])("an import against the arrow is reported: %s", (_, line) => {
  const { imports, wrong } = checkLayers(tree({ "decode/index.ts": line, "models/index.ts": "" }), arrows);
  expect(imports).toBe(1);
  expect(wrong).toEqual(["decode/index.ts: decode may not import models (layers.json allows base)"]);
});

test("imports along the arrow, inside a folder, of packages, in comments and in tests are not", () => {
  const files = {
    "base/index.ts": 'import { join } from "node:path";',
    "decode/index.ts": 'import "../base/index.ts";\nimport "./masked.ts";\n// from "../models/index.ts"',
    "decode/masked.ts": "",
    "decode/masked.test.ts": 'import "../models/index.ts";',
  };
  expect(checkLayers(tree(files), arrows)).toEqual({ imports: 2, wrong: [] });
});

test("leaving src, an unlisted folder and the package's own name are reported", () => {
  const files = {
    "base/index.ts": 'import "../../test/tool.ts";\nimport "fewstep/models";',
    "extra/index.ts": 'import "../base/index.ts";',
  };
  expect(checkLayers(tree(files), arrows).wrong).toEqual([
    "base/index.ts: base may not import .. (layers.json allows nothing)",
    "base/index.ts: base may not import fewstep/models (layers.json allows nothing)",
    "extra/index.ts: extra may not import base (layers.json allows nothing)",
  ]);
});
