/** Builds the studio into dist/studio: files that any web server can hold, wherever they lie. */
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  base: "./",
  plugins: [tailwindcss()],
  worker: { format: "es" },
  build: { outDir: here("../dist/page"), emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 1000 },
  server: { headers: { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } },
});
