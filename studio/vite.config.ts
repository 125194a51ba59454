/** Builds the studio into dist/studio: files that any web server can hold, wherever they lie. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Names all assets in files.json, so that the page can be kept for when there is no network. */
const fileList = (): Plugin => ({
  name: "fewstep-files",
  apply: "build",
  writeBundle({ dir = "" }) {
    const assets = readdirSync(join(dir, "assets")).map((name) => `assets/${name}`);
    writeFileSync(join(dir, "files.json"), JSON.stringify(assets));
  },
});

export default defineConfig({
  root: here("."),
  base: "./",
  plugins: [tailwindcss(), fileList()],
  worker: { format: "es" },
  build: { outDir: here("../dist/page"), emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 1000 },
  server: { headers: { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } },
});
