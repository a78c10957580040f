import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/claude/**/*.test.ts"],
    globalSetup: ["test/build-once.ts"],
    pool: "forks",
    // One after the other: a client is a large program, and what is measured is to be of one alone.
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 30_000,
  },
});
