import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The package's own name means its sources here, not what was last compiled.
  resolve: {
    alias: [{ find: /^fewstep\/(.+)$/, replacement: `${fileURLToPath(new URL("src", import.meta.url))}/$1/index.ts` }],
  },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // ONNX Runtime uses every core by itself; two test files at a time is what two cores carry.
    maxWorkers: 2,
  },
});
