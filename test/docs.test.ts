/** What the documents say of the code is true: paths, commands, the layer table, the program of the README. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layerOf, sourceFiles } from "./layers.ts";
import { saveTinyModel } from "./tiny-model.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const scripts: Record<string, string> = JSON.parse(read("package.json")).scripts;

const DOCUMENTS = [
  ...["README.md", "ARCHITECTURE.md", "CHANGELOG.md"],
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
/** Text between HTML comments NAME and /NAME. */
const between = (text: string, name: string) =>
  new RegExp(`<!-- ${name} -->\\n(.*?)<!-- /${name} -->`, "s").exec(text)?.[1] ?? "";

test.each(DOCUMENTS)("%s names only files and commands that exist", (path) => {
  const text = read(path);
  const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, to]) => to).filter((to) => !/^https?:/.test(to));
  expect(links.filter((to) => !existsSync(join(root, dirname(path), to)))).toEqual([]);
  const named = [...text.matchAll(/`((?:src|test|docs|scripts|runs|bench)\/[\w./-]+)`/g)].map(([, file]) => file);
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  const commands = [...text.matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name);
  expect(commands.filter((name) => !(name in scripts))).toEqual([]);
});

test("the command lines of the README are those of the program", () => {
  const lines = read("README.md").match(/^npx fewstep .*$/gm) ?? [];
  expect(lines.length).toBeGreaterThan(5);
  const sources = sourceFiles(join(root, "src/cli")).map((file) => read(join("src/cli", file)));
  const flags = lines.flatMap((line) => line.match(/(?<=\s)--?[a-z][\w-]*/g) ?? []);
  expect(flags.filter((flag) => !sources.some((text) => new RegExp(`"(-\\w, )?${flag}\\b`).test(text)))).toEqual([]);
  const commands = lines.flatMap((line) => /^npx fewstep ([a-z]+)/.exec(line)?.[1] ?? []);
  expect(commands.filter((name) => !existsSync(join(root, `src/cli/${name}.ts`)))).toEqual([]);
});

test("the layer table of ARCHITECTURE.md is layers.json", () => {
  const rows = between(read("ARCHITECTURE.md"), "layers").trim().split("\n").slice(2);
  const cells = rows.map((row) => row.split("|").map((cell) => cell.trim()));
  const table = cells.map(([, folder, , allowed]) => [
    folder.replaceAll("`", ""),
    allowed === "nothing" ? [] : allowed.split(", "),
  ]);
  expect(Object.fromEntries(table)).toEqual(JSON.parse(read("layers.json")));
});

test("the tree of the README has every folder of src, and every path in it exists", () => {
  const tree = /```\n(src\/ .*?)```/s.exec(read("README.md"))?.[1].trimEnd().split("\n") ?? [];
  const paths = tree.map((line) => (line.startsWith("  ") ? "src/" : "") + line.trim().split(" ")[0]);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const folders = sourceFiles(join(root, "src")).filter((file) => file.includes("/"));
  expect(paths).toEqual(expect.arrayContaining([...new Set(folders.map((file) => `src/${layerOf(file)}/`))]));
});

test("how-to pages are shorter than 60 lines", () => {
  const long = DOCUMENTS.filter((path) => path.includes("adding-")).filter(
    (path) => read(path).split("\n").length > 60,
  );
  expect(long).toEqual([]);
});

const made = mkdtempSync(join(tmpdir(), "fewstep-docs-"));
beforeAll(() => saveTinyModel(join(made, "tiny")));
afterAll(() => rmSync(made, { recursive: true }));

test("the program of the README runs", () => {
  const program = /## Six lines\n\n```js\n(.*?)```/s.exec(read("README.md"))?.[1] ?? "";
  expect(program.trim().split("\n")).toHaveLength(6);
  const file = join(made, "six-lines.mjs");
  const changed = program
    .replace('"fewstep"', JSON.stringify(new URL("../dist/index.js", import.meta.url).href))
    .replace("loadModel()", `loadModel(${JSON.stringify(join(made, "tiny"))})`);
  writeFileSync(file, changed);
  const out = execFileSync(process.execPath, [file], { cwd: made, encoding: "utf8" });
  expect(out.trim()).not.toBe("");
  expect(readFileSync(join(made, "cars.png")).subarray(1, 4).toString()).toBe("PNG");
});
