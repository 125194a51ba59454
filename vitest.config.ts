import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    // ONNX Runtime uses every core by itself; two test files at a time is what two cores carry.
    maxWorkers: 2,
  },
});
