/** What a bundler for browsers follows from `import "fewstep"` has nothing of Node in it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { sourceFiles } from "../layers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const src = join(root, "src");
/** A file of Node to its twin for pages, as sources. */
const sourceOf = (path: string) => path.replace("./dist/", "").replace(/\.js$/, ".ts");
const twins = new Map(
  Object.entries<string>(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).browser).map((pair) => [
    sourceOf(pair[0]),
    sourceOf(pair[1]),
  ]),
);

/** Imports that stay when types are gone. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8").replace(/^(import|export) type [^;]* from "[^"]*";$/gm, "");
  return ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
}

/** Everything that is reached from `entry`, to the packages it imports. */
function reached(...entries: string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const todo = [...entries]; todo.length; ) {
    const file = todo.pop()!;
    if (found.has(file)) continue;
    const imports = importsOf(file);
    found.set(
      file,
      imports.filter((to) => !to.startsWith(".")),
    );
    for (const to of imports.filter((to) => to.startsWith("."))) {
      const path = relative(src, resolve(src, dirname(file), to));
      todo.push(twins.get(path) ?? path);
    }
  }
  return found;
}

test("a page needs no Node", () => {
  const found = reached("index.ts", "runtime/worker.web.ts");
  expect(found.size).toBeGreaterThan(80);
  const packages = new Set([...found.values()].flat());
  expect([...packages].sort()).toEqual([
    "@huggingface/tokenizers",
    "onnxruntime-web/wasm",
    "onnxruntime-web/webgpu",
    "zod",
  ]);
});

test("every twin stands beside a file of Node and is named after it", () => {
  for (const [node, web] of twins) {
    expect([node, web].filter((path) => !existsSync(join(src, path)))).toEqual([]);
    expect(web).toBe(node.replace(/\.ts$/, ".web.ts"));
  }
  const named = sourceFiles(src).filter((file) => file.endsWith(".web.ts"));
  const reachedByWorkers = ["runtime/worker.web.ts", "models/load.web.ts", "models/registry.web.ts"];
  expect(named.filter((file) => ![...twins.values(), ...reachedByWorkers].includes(file))).toEqual([]);
});

test("every model that the package carries is known to pages by name", () => {
  const addresses = ["models/registry.web.ts", "models/var/folder.web.ts"].flatMap((file) => {
    const text = readFileSync(join(src, file), "utf8");
    return [...text.matchAll(/new URL\("(.*?)"/g)].map(([, address]) => join(src, dirname(file), address));
  });
  expect(addresses.length).toBeGreaterThan(10);
  expect(addresses.filter((path) => !existsSync(path))).toEqual([]);
});
