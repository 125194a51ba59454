/** The layer rule: which folder of src may import which. The table is layers.json; it is the architecture. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

/** Folder (or file) of src to the folders it may import, lowest layer first. */
export type LayerTable = Readonly<Record<string, readonly string[]>>;

export interface LayerReport {
  /** Imports that cross from one folder to another or stay inside one. */
  imports: number;
  /** One line for each import against the arrow. */
  wrong: string[];
}

/** Every TypeScript file below `src`, as paths from there. */
export const sourceFiles = (src: string): string[] =>
  (readdirSync(src, { recursive: true }) as string[]).filter((file) => /\.tsx?$/.test(file)).sort();

/** "decode/masked.ts" is in layer "decode", "index.ts" in layer "index". */
export const layerOf = (file: string): string => file.split("/")[0].replace(/\.tsx?$/, "");

/** Checks every file but the tests, which may import anything. */
export function checkLayers(src: string, table: LayerTable): LayerReport {
  const wrong: string[] = [];
  let imports = 0;
  for (const file of sourceFiles(src)) {
    if (/\.test\.tsx?$/.test(file)) continue;
    const from = layerOf(file);
    const allowed = table[from] ?? [];
    for (const { fileName: to } of ts.preProcessFile(readFileSync(join(src, file), "utf8")).importedFiles) {
      const own = /^fewstep(\/|$)/.test(to);
      if (!to.startsWith(".") && !own) continue;
      imports++;
      const layer = own ? to : layerOf(relative(src, resolve(src, dirname(file), to)));
      if (own || (layer !== from && !allowed.includes(layer)))
        wrong.push(`${file}: ${from} may not import ${layer} (layers.json allows ${allowed.join(", ") || "nothing"})`);
    }
  }
  return { imports, wrong };
}
